"""Input files: reads and validates the files of `--config`, `--catalog` and `--state`."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec
from msgspec import UNSET, UnsetType
from typing_extensions import override

from tap_dynamics365.errors import InputError
from tap_dynamics365.singer import state_file

if TYPE_CHECKING:
    from collections.abc import Iterable


_Kind = Literal["array", "boolean", "integer", "null", "number", "object", "string"]


class _Column(msgspec.Struct, kw_only=True):
    type: _Kind | list[_Kind] | UnsetType = UNSET
    any_of: list[_Column] | UnsetType = msgspec.field(default=UNSET, name="anyOf")
    one_of: list[_Column] | UnsetType = msgspec.field(default=UNSET, name="oneOf")
    all_of: list[_Column] | UnsetType = msgspec.field(default=UNSET, name="allOf")
    properties: dict[str, _Column] | None = None
    items: _Column | None = None

    def __post_init__(self) -> None:
        """Raise if the schema does not give the type of the column."""
        if self.type is self.any_of is self.one_of is self.all_of is UNSET:
            msg = "Object missing required field `type`"
            raise ValueError(msg)


class _Schema(msgspec.Struct):
    properties: dict[str, _Column]


class _Metadata(msgspec.Struct):
    breadcrumb: list[str]
    metadata: dict[str, Any]


class _Entry(msgspec.Struct):
    tap_stream_id: str
    schema: _Schema
    metadata: list[_Metadata]
    key_properties: list[str] | None = None
    replication_key: str | None = None
    replication_method: str | None = None
    table_name: str | None = None
    stream: str | None = None
    stream_alias: str | None = None


class _Catalog(msgspec.Struct):
    """A catalog (https://github.com/singer-io/getting-started/blob/master/docs/DISCOVERY_MODE.md)."""

    streams: list[_Entry]


_FORMS: dict[str, Any] = {"config": dict[str, Any], "catalog": _Catalog}
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
        Values by setting name; a later file wins over those before.

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
        The text of the file, or the state that was found in it, in JSON.

    Raises:
        InputError: The file can't be read, is not JSON, or does not have the form that the option
            needs. The message never quotes the file, which may hold secrets.
    """
    try:
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        # Windows programs write UTF-16, or UTF-8 with a byte-order mark.
        text = content.decode(json.detect_encoding(content))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "It is not text in UTF-8 or UTF-16"
        msg = f"The file that --{option} names ({path}) can't be read: {why}."
        raise InputError(msg) from None
    try:
        if option == "state":
            return _state(text, path)
        msgspec.json.decode(text, type=_FORMS[option])
    except msgspec.ValidationError as error:
        msg = f"The file that --{option} names ({path}) is not {_WHAT[option]} ({error})."
        raise InputError(msg) from None
    except (msgspec.DecodeError, RecursionError):
        end = "cut off" if text.strip() else "empty"
        msg = f"The file that --{option} names ({path}) is not JSON: it may be {end}."
        raise InputError(msg) from None
    return text


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
