"""Files that are whole at every moment, whatever ends the process that writes them."""

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
        path: Where it is.

    Returns:
        What it holds.

    Raises:
        OSError: It can't be read, or is no regular file.
    """
    check(path)
    return path.read_bytes()


def check(path: Path) -> None:
    """Raise if something else than a regular file is there.

    A device can be read without end, and must not be replaced.

    Args:
        path: Where it is.

    Raises:
        OSError: Something else is there, or that can't be told.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(errno.ENOTSUP, "It is no file")


def write(path: Path, content: bytes, *, mode: int) -> None:
    """Put a file in the place of the one that is there.

    When this returns, it is on the disk.

    Args:
        path: Where it is to be; its folder is made where there is none.
        content: What it holds.
        mode: Who may read it, as for `os.chmod`.

    Raises:
        OSError: It can't be written. The old one is as it was.
    """
    check(path)
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    # Made with mode 0600, in the same folder: a file can't be moved to another disk at once.
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)  # noqa: PTH101 - next to its namesakes of os
        os.replace(name, path)  # noqa: PTH105 - as above
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - as above
        raise
    _sync_folder(folder)


def words(error: OSError | NotImplementedError) -> str:
    """Tell a failure of the system in its own words, without the path.

    Args:
        error: The failure.

    Returns:
        The words.
    """
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _sync_folder(folder: Path) -> None:
    """Have the new name of a file on the disk too, where the system can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
