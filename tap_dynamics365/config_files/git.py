"""git: whether a file with secrets may be committed."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from tap_dynamics365.auth.token_store import TokenStore
from tap_dynamics365.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def check_ignored(path: Path) -> None:
    """Raise if a file is in a git work tree that does not ignore it.

    Args:
        path: The file. It need not exist.

    Raises:
        InputError: git tracks the file or does not ignore it, or can't tell.
    """
    root = next((each for each in path.parents if (each / ".git").exists()), None)
    if root is None:
        return
    name = path.relative_to(root).as_posix()
    if shutil.which("git") is None:
        reason, way = "git is not installed, which knows whether it is ignored", "install git"
    elif (status := _run(root, "check-ignore", "--quiet", "--", name)) == 0:
        return
    elif status > 1:
        reason, way = "git can't tell whether it ignores it", "run git status in this folder"
    elif _run(root, "ls-files", "--error-unmatch", "--", name) == 0:
        reason, way = "git tracks it", f"run git rm --cached {name}, and add it to .gitignore"
    else:
        reason, way = "git does not ignore it", f"add {name} to {root / '.gitignore'}"
    msg = f"{path} would have a secret, and {reason}: {way}."
    raise InputError(msg)


def store_warning(project: Path, settings: Mapping[str, Any]) -> str:
    """Say why the file that keeps the refresh token may be committed; empty if it can't be.

    Args:
        project: The folder where the tap runs, to which a relative path refers.
        settings: Values by setting name.
    """
    store = settings.get("token_store")
    if not store or not isinstance(store, str):
        return ""
    try:
        # What the token store writes is the target of a symbolic link.
        check_ignored(TokenStore(project / os.path.expanduser(store)).path)  # noqa: PTH111 - never fails
    except InputError as error:
        return f"Setting token_store: {error.message}"
    return ""


def _run(root: Path, *arguments: str) -> int:
    """Run git in a work tree; return its exit code."""
    # Variables such as GIT_DIR would name another repository.
    variables = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return subprocess.run(  # noqa: S603 - no shell, and the path comes after `--`
        ["git", "-C", str(root), *arguments],  # noqa: S607 - the git of the person
        env=variables,
        capture_output=True,
        check=False,
    ).returncode
