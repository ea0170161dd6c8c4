"""Change of a file of a project: planned first, shown as a diff without secrets, then written."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import TYPE_CHECKING

from tap_dynamics365 import atomic_file
from tap_dynamics365.config_files import git, secrets
from tap_dynamics365.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    #: Given a text and what a secret in it is replaced by, returns the text to show.
    Cover = Callable[[str, Callable[[str], str]], str]

#: What is shown in place of a secret.
MASK = f"{secrets.MASK} (set)"
OF_SECRETS = 0o600
_OF_OTHERS = 0o644
# A secret in a text, by its number: two secrets differ in a diff.
_COVERED = re.compile("\0[0-9]+\0")


@dataclass(frozen=True)
class Change:
    """A change of a file.

    Attributes:
        path: The file, in the folder of the project.
        before: The content of the file; None if there is none.
        after: The new content.
        cover: Replaces the secrets in a content.
        has_secrets: Whether the new content has a secret of the tap.
    """

    path: Path
    before: bytes | None = field(repr=False)
    after: bytes = field(repr=False)
    cover: Cover = field(repr=False)
    has_secrets: bool

    @property
    def is_change(self) -> bool:
        """Whether the content is another one."""
        return self.before != self.after


def read(path: Path) -> bytes | None:
    """Read a file of a project.

    Args:
        path: The file.

    Returns:
        The content; None if there is no such file.

    Raises:
        InputError: The file can't be read.
    """
    try:
        return atomic_file.read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        msg = f"The file {path} can't be read ({atomic_file.error_text(error)})."
        raise InputError(msg) from None


def decode(content: bytes) -> str:
    """Decode a file. Windows programs write UTF-16, or UTF-8 with a byte-order mark.

    Args:
        content: The content of the file.

    Raises:
        UnicodeDecodeError: It is not text in UTF-8 or UTF-16.
    """
    return content.decode(json.detect_encoding(content))


def place(project: Path, name: str) -> Path:
    """Find the place of a file in a project.

    Args:
        project: The folder of the project.
        name: The path of the file, relative to the folder.

    Returns:
        The path. The file need not exist.

    Raises:
        InputError: The path leads out of the folder, or to it by a symbolic link.
    """
    root = project.resolve()
    path = root / name
    if ".." in path.parts or not path.is_relative_to(root) or path == root:
        msg = f"{name} is not in the project folder {root}: files outside of it are not written."
        raise InputError(msg)
    for each in (path, *path.parents):
        if each == root:
            break
        if each.is_symlink():
            msg = f"{each} is a symbolic link: name the file that it leads to, or remove the link."
            raise InputError(msg)
    return path


def diff(change: Change) -> list[str]:
    """Show a change as a unified diff.

    Args:
        change: The change.

    Returns:
        The lines; none if nothing changes. A mask is in place of each secret.
    """
    numbers: dict[str, int] = {}

    def number(secret: str) -> str:
        return f"\0{numbers.setdefault(secret, len(numbers))}\0"

    before, after = (
        change.cover(decode(content), number).splitlines()
        for content in (change.before or b"", change.after)
    )
    name = change.path.name
    old = "/dev/null" if change.before is None else name
    lines = unified_diff(before, after, old, name, lineterm="")
    return [_COVERED.sub(MASK, line) for line in lines]


def write(project: Path, changes: Sequence[Change]) -> None:
    """Write changes. All are checked before the first one is written.

    Args:
        project: The folder of the project.
        changes: The changes. Files with secrets have the mode 0600.

    Raises:
        InputError: A file is outside of the folder, or behind a symbolic link; or it would have a
            secret, and git does not ignore it; or it is not the same any more as when the change
            was planned; or it can't be written.
    """
    changes = [change for change in changes if change.is_change]
    for change in changes:
        _check(project, change)
    for change in changes:
        mode = OF_SECRETS if change.has_secrets else _mode(change.path)
        try:
            atomic_file.write(change.path, change.after, mode=mode)
        except OSError as error:
            msg = f"The file {change.path} can't be written ({atomic_file.error_text(error)})."
            raise InputError(msg) from None


def _check(project: Path, change: Change) -> None:
    """Raise if a change must not be written."""
    place(project, str(change.path))
    if read(change.path) != change.before:
        msg = f"The file {change.path} has changed in the meantime: start again."
        raise InputError(msg)
    if change.has_secrets:
        git.check_ignored(change.path)


def _mode(path: Path) -> int:
    """Return the mode of a file without secrets."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return _OF_OTHERS
