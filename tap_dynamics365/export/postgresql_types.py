"""Types of PostgreSQL: those that target-postgres chooses for the columns of a Singer schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

# By the format of a string.
_FORMATS = {
    "date": "date",
    "date-time": "timestamp without time zone",
    "time": "time without time zone",
    "uuid": "uuid",
}
_TYPES = {
    "boolean": "boolean",
    "integer": "bigint",
    "number": "numeric",
    "object": "jsonb",
    "string": "text",
}
_TEXT = "text"
# The end of the type of an array.
ARRAY = "[]"

#: The columns that the target adds to each table, in its order.
METADATA: Final[Mapping[str, str]] = {
    "_sdc_extracted_at": _FORMATS["date-time"],
    "_sdc_received_at": _FORMATS["date-time"],
    "_sdc_batched_at": _FORMATS["date-time"],
    "_sdc_deleted_at": _FORMATS["date-time"],
    "_sdc_sequence": _TYPES["integer"],
    "_sdc_table_version": _TYPES["integer"],
    "_sdc_sync_started_at": _TYPES["integer"],
}


def sql_type(schema: Mapping[str, Any]) -> str:
    """Return the type of a column, as PostgreSQL itself writes it.

    Args:
        schema: The JSON Schema of the column.
    """
    given = schema.get("type", "string")
    kinds = [given] if isinstance(given, str) else [kind for kind in given if kind != "null"]
    if len(kinds) != 1:
        return _TEXT
    if kinds == ["array"]:
        return f"{_item_type(schema.get('items'))}{ARRAY}"
    if kinds == ["string"] and (kind := _FORMATS.get(schema.get("format", ""))):
        return kind
    return _TYPES.get(kinds[0], _TEXT)


def _item_type(schema: object) -> str:
    """Return the type of the items of an array. The target does not look at their format."""
    if isinstance(schema, dict) and "type" in schema:
        return sql_type({"type": schema["type"]})
    return _TYPES["object"]


def converted(column: str, kind: pa.DataType, wanted: str) -> str:
    """Return an SQL expression that converts a column without changing a digit.

    Args:
        column: The column, quoted.
        kind: The type in which Arrow wrote it.
        wanted: The type in PostgreSQL.
    """
    if pa.types.is_floating(kind) and wanted == _TYPES["number"]:
        # Directly, PostgreSQL would round to 15 digits.
        return f"{column}::text::numeric"
    if pa.types.is_timestamp(kind) and kind.tz is not None and wanted == _FORMATS["date-time"]:
        return f"{column} AT TIME ZONE 'UTC'"
    if pa.types.is_binary(kind) and wanted == _TEXT:
        return rf"replace(encode({column}, 'base64'), E'\n', '')"
    if pa.types.is_string(kind) and wanted.endswith(ARRAY):
        # Arrow has arrays as JSON text.
        item = wanted.removesuffix(ARRAY)
        items = "jsonb_array_elements" if item == _TYPES["object"] else "jsonb_array_elements_text"
        array = f"ARRAY(SELECT {items}({column}::jsonb))::{wanted}"
        return f"CASE WHEN {column} IS NOT NULL THEN {array} END"
    return f"{column}::{wanted}"
