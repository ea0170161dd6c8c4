"""Input files: reads and validates the files of `--config`, `--catalog` and `--state`."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from typing_extensions import override

from tap_dynamics365.errors import InputError
from tap_dynamics365.singer import catalog_file, state_file

if TYPE_CHECKING:
    from collections.abc import Iterable


_WHAT = {
    "config": "an object with a value for each setting",
    "catalog": "a catalog: run --discover again",
    "state": "a state: use the value of the last STATE message, or no state to read everything",
}

logger = logging.getLogger("tap-dynamics365.inputs")


class InputFile(click.File):
    """A command-line option whose value is the path of a catalog or a state."""

    @override
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> io.StringIO:
        return io.StringIO(read(value, (param.name if param else None) or ""))


def read_config(paths: Iterable[str]) -> dict[str, Any]:
    """Read files with settings.

    Args:
        paths: The paths of the files.

    Returns:
        Values by setting name; a later file takes precedence over those before.

    Raises:
        InputError: With the first file that can't be read.
    """
    config: dict[str, Any] = {}
    for path in paths:
        config |= msgspec.json.decode(read(path, "config"))
    return config


def read(path: str, option: str) -> str:
    """Read a file once, because it may be a pipe.

    Args:
        path: The path; `-` is standard input.
        option: The name of the option: `config`, `catalog` or `state`.

    Returns:
        In JSON, the content of the file: of a catalog, what a run needs; of a state file, the
        state that was found in it.

    Raises:
        InputError: The file can't be read, is not JSON, or does not have the form that the option
            needs. The message never quotes the file, which may hold secrets.
    """
    content = b""
    try:
        content = _in_utf_8(sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes())
        if option == "catalog":
            return catalog_file.reduce(content).decode()
        text = content.decode()
        if option == "state":
            return _state(text, path)
        msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.ValidationError as error:
        msg = f"The file that --{option} names ({path}) is not {_WHAT[option]} ({error})."
        raise InputError(msg) from None
    except (OSError, ValueError, RecursionError) as error:
        msg = f"The file that --{option} names ({path}) {_why_not(content, error)}."
        raise InputError(msg) from None
    return text


def _why_not(content: bytes, error: Exception) -> str:
    """Say why a file can't be read, or is not JSON."""
    if isinstance(error, OSError):
        return f"can't be read: {error.strerror}"
    try:
        content.decode()
    except UnicodeDecodeError as no_text:
        error = no_text
    if isinstance(error, UnicodeError):
        return "can't be read: It is not text in UTF-8 or UTF-16"
    return f"is not JSON: {_fault(content.decode())}"


def _fault(text: str) -> str:
    """Say where a text stops being JSON, without quoting it."""
    if not text.strip():
        return "it may be empty"
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos < len(text.rstrip()) and not error.msg.startswith("Unterminated"):
            return f"{error.msg} in line {error.lineno}, column {error.colno}"
    except RecursionError:
        return "it is nested too deeply"
    return "it may be cut off"


def _in_utf_8(content: bytes) -> bytes:
    """Recode what Windows programs write: UTF-16, or UTF-8 with a byte-order mark."""
    encoding = json.detect_encoding(content)
    # A copy of a large catalog would have a hundred megabytes.
    return content if encoding == "utf-8" else content.decode(encoding).encode()


def _state(text: str, path: str) -> str:
    state, line = state_file.find(text)
    if line is not None:
        logger.warning(
            "The file that --state names (%s) has several lines: the last state is used, in "
            "line %d.",
            path,
            line,
        )
    return state
