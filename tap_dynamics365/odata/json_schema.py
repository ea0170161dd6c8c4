"""JSON Schema of columns: how OData writes the values of each type in JSON."""

from __future__ import annotations

from typing import Any

from tap_dynamics365.odata import enumeration
from tap_dynamics365.odata.edm import (
    Collection,
    Column,
    Complex,
    EdmType,
    Enumeration,
    Primitive,
    Table,
)

# How OData writes primitive values in JSON ("OData JSON Format Version 4.0", section 7.1).
PRIMITIVES: dict[str, dict[str, str]] = {
    "Edm.Binary": {"type": "string", "contentEncoding": "base64"},
    "Edm.Boolean": {"type": "boolean"},
    "Edm.Byte": {"type": "integer"},
    "Edm.Date": {"type": "string", "format": "date"},
    "Edm.DateTimeOffset": {"type": "string", "format": "date-time"},
    "Edm.Decimal": {"type": "number"},
    "Edm.Double": {"type": "number"},
    "Edm.Guid": {"type": "string", "format": "uuid"},
    "Edm.Int16": {"type": "integer"},
    "Edm.Int32": {"type": "integer"},
    "Edm.Int64": {"type": "integer"},
    "Edm.SByte": {"type": "integer"},
    "Edm.Single": {"type": "number"},
    "Edm.TimeOfDay": {"type": "string", "format": "time"},
}
TEXT = {"type": "string"}


def is_stream(column: Column) -> bool:
    """Tell whether a column is a stream: its value has a URL of its own and is not in the row."""
    return column.type == Primitive("Edm.Stream")


def properties(table: Table) -> dict[str, dict[str, Any]]:
    """Describe the columns of a table that rows have.

    Args:
        table: The table.

    Returns:
        The JSON Schema of each column. Every column but the key is nullable. Enumerations are
        nullable in the key too, because a value without a name is null.
    """
    found = _properties(table.columns)
    for column in table.columns:
        if column.name not in table.key:
            continue
        own = found[column.name]
        if isinstance(column.type, Enumeration):
            own["description"] = f"{enumeration.IN_KEY} {own['description']}"
        else:
            own["type"] = [kind for kind in own["type"] if kind != "null"]
    return found


def _properties(columns: tuple[Column, ...]) -> dict[str, dict[str, Any]]:
    return {column.name: _nullable(column) for column in columns if not is_stream(column)}


def _nullable(column: Column) -> dict[str, Any]:
    schema = _type(column.type)
    if column.description:
        words = [column.description, schema.get("description")]
        schema["description"] = " ".join(filter(None, words))
    return schema


def _type(kind: EdmType) -> dict[str, Any]:
    match kind:
        case Primitive(name):
            schema = PRIMITIVES.get(name, TEXT)
            return {**schema, "type": [schema["type"], "null"]}
        case Enumeration():
            return {"type": ["string", "null"], "description": enumeration.sentence(kind)}
        case Complex(()):
            return {"type": ["object", "null"]}
        case Complex(columns):
            return {"type": ["object", "null"], "properties": _properties(columns)}
        case Collection(item):
            return {"type": ["array", "null"], "items": _type(item)}
