"""Settings file: writes settings into a file .env or config.json, and keeps the rest of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tap_dynamics365 import atomic_file
from tap_dynamics365.config_files import env_text, json_object
from tap_dynamics365.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# The file may hold secrets.
MODE = 0o600
JSON_SUFFIX = ".json"


def check(path: Path) -> None:
    """Raise if settings can't be written into a file, before anybody signs in.

    Args:
        path: The file. It need not exist.

    Raises:
        InputError: The file can't be read, or has another form.
    """
    _changed(path, {})


def write(path: Path, settings: Mapping[str, str]) -> None:
    """Write settings into a file: a JSON object if its name ends with .json, else a file .env.

    Args:
        path: The file. Missing settings are added, and present ones are replaced.
        settings: Values by setting name.

    Raises:
        InputError: The file can't be read or written, or has another form. It is unchanged.
    """
    content = _changed(path, settings)
    try:
        # A link stays, and the file that it leads to is replaced.
        atomic_file.write(path.resolve(), content.encode(), mode=MODE)
    except OSError as error:
        raise InputError(_unusable(path, "written", error)) from None


def _changed(path: Path, settings: Mapping[str, str]) -> str:
    """Return the content of a file with settings."""
    is_json = path.suffix.lower() == JSON_SUFFIX
    try:
        content = atomic_file.read(path)
        # Windows programs write UTF-16, or UTF-8 with a byte-order mark: see singer/input_files.py.
        text = content.decode(json.detect_encoding(content) if is_json else "utf-8")
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise InputError(_unusable(path, "read", error)) from None
    except UnicodeDecodeError:
        msg = f"The file {path} is not encoded in UTF-8: name another one with --write."
        raise InputError(msg) from None
    if not is_json:
        return env_text.change(text, settings)
    try:
        return json_object.change(text, settings)
    except ValueError:
        msg = f"The file {path} is not a JSON object: name another one with --write."
        raise InputError(msg) from None


def _unusable(path: Path, done: str, error: OSError) -> str:
    reason = atomic_file.error_text(error)
    return f"The file {path} can't be {done} ({reason}): name another one with --write."
