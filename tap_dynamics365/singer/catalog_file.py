"""Catalog file: the form of the file of `--catalog`, and the part of it that a run needs.

The catalog of a large organization has a hundred megabytes, and most of its tables are usually not
selected. Nothing but their names and the metadata of the table are kept.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType
from singer_sdk.singerlib import MetadataMapping

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


class _RawMetadata(msgspec.Struct, gc=False):
    breadcrumb: list[str]
    metadata: Raw


class _Listed(msgspec.Struct):
    """An entry as far as the selection of the table needs it."""

    tap_stream_id: str
    metadata: list[_RawMetadata]


class _Catalog(msgspec.Struct):
    """A catalog (https://github.com/singer-io/getting-started/blob/master/docs/DISCOVERY_MODE.md)."""

    streams: list[Raw]


_catalog = msgspec.json.Decoder(_Catalog)
_listed = msgspec.json.Decoder(_Listed)
_entry = msgspec.json.Decoder(_Entry)
_settings = msgspec.json.Decoder(dict[str, Any])


def reduce(text: str | bytes) -> bytes:
    """Check a catalog, and leave out what a run does not need.

    Args:
        text: The catalog in JSON.

    Returns:
        The catalog in JSON, without the columns of tables that are not selected.

    Raises:
        msgspec.ValidationError: It is no catalog.
        msgspec.DecodeError: It is not JSON.
    """
    found = []
    for number, raw in enumerate(_catalog.decode(text).streams):
        try:
            found.append(_reduce_entry(raw))
        except msgspec.ValidationError as error:
            msg = str(error).replace("`$", f"`$.streams[{number}]")
            raise msgspec.ValidationError(msg) from None
    return b'{"streams":[' + b",".join(found) + b"]}"


def _reduce_entry(raw: Raw) -> bytes | memoryview:
    entry = _listed.decode(raw)
    of_table = [
        {"breadcrumb": [], "metadata": _settings.decode(item.metadata)}
        for item in entry.metadata
        if not item.breadcrumb
    ]
    # Without metadata of the table, the metadata of the columns matter to the SDK.
    if not of_table or MetadataMapping.from_iterable(of_table).resolve_selection()[()]:
        _entry.decode(raw)
        return memoryview(raw)
    return msgspec.json.encode(
        {
            "tap_stream_id": entry.tap_stream_id,
            "schema": {"properties": {}},
            "metadata": of_table,
        }
    )
