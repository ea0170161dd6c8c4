"""Atomic files: replaced as a whole, so that an interrupted write leaves the old file."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> bytes:
    """Read a file.

    Args:
        path: The path of the file.

    Returns:
        The content of the file.

    Raises:
        OSError: The file can't be read, or is not a regular file.
    """
    check(path)
    return path.read_bytes()


def check(path: Path) -> None:
    """Raise if a path names something other than a regular file.

    Reading a device may not end, and a device must not be replaced.

    Args:
        path: The path of the file. The file need not exist.

    Raises:
        OSError: The path names a folder or a device, or can't be checked.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(errno.ENOTSUP, "It is not a file")


def write(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file, or replace an existing file, in one step.

    When this function returns, the file is on the disk.

    Args:
        path: The path of the file. Missing folders are created.
        content: The content of the file.
        mode: The permissions, as for `os.chmod`.

    Raises:
        OSError: The file can't be written. An existing file is unchanged.
    """
    check(path)
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    # In the same folder, because a file can't be moved to another disk in one step. Its mode is
    # 0600 until it is complete.
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)  # noqa: PTH101 - `name` is a string
        os.replace(name, path)  # noqa: PTH105 - as above
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - as above
        raise
    _sync_folder(folder)


def error_text(error: OSError | NotImplementedError) -> str:
    """Return the system's message of an error, without the path.

    Args:
        error: The exception.

    Returns:
        The message.
    """
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _sync_folder(folder: Path) -> None:
    """Write the new name of a file to the disk too, if the system supports it."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
