"""Rendering of rows: SQL expressions with which SQLite writes the JSON of a row.

The etag comes first. A stream has links in place of a value.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sandbox.business_central.csdl import WRITES
from sandbox.business_central.etags import ETAG
from sandbox.data.model import EXACT_TEXT, Kind
from sandbox.data.store import quoted
from sandbox.query.rendering import joined, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.business_central.csdl import Shape
    from sandbox.data.model import Column

LINKS = ("mediaEditLink", "mediaReadLink")


def key_of(shape: Shape) -> str:
    """Return the SQL expression for the key of a row as an address has it."""
    parts = [_in_address(shape.table.by_property[name]) for name in shape.key]
    return "'' || " + " || ',' || ".join(parts)


def _in_address(column: Column) -> str:
    name = quoted(column.property_name)
    is_text = column.edm_type == "Edm.String" or column.options is not None
    return f"'''' || replace({name}, '''', '''''') || ''''" if is_text else name


def row(shape: Shape, columns: Iterable[Column], place: str, *, etag: bool = True) -> str:
    """Return the SQL expression for a row's JSON object.

    Args:
        shape: The entity set.
        columns: Columns to return. Empty returns all columns.
        place: URL of the entity set, for the links of streams.
        etag: Whether the row has its `@odata.etag`.
    """
    key = key_of(shape)
    tag = f'\',"@odata.etag":"W/\\"\' || {ETAG}({quoted(WRITES)}, {key}) || \'\\""\''
    parts = [tag] if etag else []
    for column in columns or shape.shown:
        name = column.property_name
        if column.kind is Kind.STREAM:
            parts += [_link(f"{name}@odata.{link}", f"{place}(", key, name) for link in LINKS]
        else:
            parts.append(f"{text(f',{json.dumps(name)}:')} || {_value(column)}")
    return f"'{{' || substr({joined(parts)}, 2) || '}}'"


def _link(name: str, start: str, key: str, stream: str) -> str:
    """Return the SQL expression for a link of a stream."""
    before = text(f",{json.dumps(name)}:{json.dumps(start)[:-1]}")
    after = text(f')/{stream}"')
    return f"{before} || {key} || {after}"


def _value(column: Column) -> str:
    name = quoted(column.property_name)
    if column.edm_type == "Edm.Boolean":
        return f"iif({name}, 'true', 'false')"
    if column.edm_type in EXACT_TEXT | {"Edm.Int32", "Edm.Int64"}:
        return name
    if column.kind is Kind.STRUCTURE:
        return name
    if column.edm_type == "Edm.DateTimeOffset":
        return f"'\"' || {name} || 'Z\"'"
    return f"json_quote({name})"
