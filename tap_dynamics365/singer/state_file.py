"""State file: finds a state that is bare, wrapped in a message, or in one of several lines."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

# The other types of Singer messages. A file with the whole output of a tap has them too.
MESSAGES = {"ACTIVATE_VERSION", "BATCH", "RECORD", "SCHEMA"}


class _Part(msgspec.Struct):
    context: dict[str, str] | None = None
    replication_key: str | None = None
    replication_key_value: str | int | float | None = None
    replication_key_overlap: str | int | None = None
    replication_key_began: str | int | None = None
    replication_key_nulls: bool | None = None
    delta_token: str | None = None
    version: int | None = None
    metadata_version: str | int | None = None
    filter_digest: str | None = None
    full_table: dict[str, Any] | None = None
    window: dict[str, Any] | None = None
    sorting_timed_out: str | None = None
    unread_parents: list[tuple[str, str]] | None = None
    coverage: str | None = None
    replication_key_coverage: str | None = None
    progress_markers: dict[str, Any] | None = None


class _Bookmark(_Part):
    partitions: list[_Part] | None = None


class _State(msgspec.Struct):
    """A state of the Meltano SDK; each tap defines the form of its own states."""

    bookmarks: dict[str, _Bookmark | None] | None = None


_document = msgspec.json.Decoder(dict[str, Raw])
_state = msgspec.json.Decoder(_State)
_text = msgspec.json.Decoder(str)


def find(text: str) -> tuple[str, int | None]:
    """Find the state in the text of a file.

    Args:
        text: A state, a STATE message, a state as `meltano state get` prints it, or one of these
            in each line. The last state is used. Lines with other messages, and incomplete lines,
            are skipped.

    Returns:
        The state in JSON, and the number of its line; None if the state is the whole file.

    Raises:
        msgspec.ValidationError: The file holds something else. The message does not quote it.
        msgspec.DecodeError: The text is not JSON.
        RecursionError: The JSON is nested too deeply.
    """
    try:
        return _unwrap(_document.decode(text)), None
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Not splitlines: JSON strings may contain other line separators of Unicode.
        for number, line in reversed([*enumerate(text.split("\n"), start=1)]):
            document = _read_line(line)
            if document:
                return _unwrap(document), number
        raise


def _read_line(line: str) -> dict[str, Raw]:
    """Read a line that may hold a state; empty if it is another message, or incomplete."""
    try:
        document = _document.decode(line)
    except msgspec.DecodeError:
        return {}
    return {} if _message(document) in MESSAGES else document


def _message(document: dict[str, Raw]) -> str:
    """Return the type of a Singer message; empty if the document is not a message."""
    try:
        return _text.decode(document.get("type", Raw(b'""')))
    except msgspec.ValidationError:
        return ""


def _unwrap(document: dict[str, Raw]) -> str:
    """Unwrap a state, and validate it."""
    while True:
        kind = _message(document)
        if kind == "STATE" and "value" in document:
            document = _document.decode(document["value"])
        elif "singer_state" in document:
            document = _document.decode(document["singer_state"])
        else:
            break
    if document and "bookmarks" not in document:
        if kind == "STATE":
            why = "the STATE message has no value"
        elif kind in MESSAGES:
            why = f"it is a {kind} message"
        elif "streams" in document:
            why = "it is a catalog, which --catalog takes"
        else:
            why = "it has no bookmarks"
        raise msgspec.ValidationError(why)
    text = msgspec.json.encode(document)
    _state.decode(text)
    return text.decode()
