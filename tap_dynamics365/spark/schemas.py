"""Schemas: Arrow types and Spark types, in both directions.

Both directions go through the names of Spark's types in JSON, which all versions of Spark have.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.types import StructType

from tap_dynamics365.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Spark keeps moments in UTC, and in microseconds.
_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "byte": pa.int8(),
    "short": pa.int16(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "timestamp_ntz": pa.timestamp("us"),
}
_NAMES = {arrow: name for name, arrow in _TYPES.items()}
_DECIMAL = re.compile(r"decimal\((\d+), *(-?\d+)\)")

COMMENT = b"comment"


def to_spark(schema: pa.Schema) -> StructType:
    """Convert a schema of Arrow to one of Spark.

    Args:
        schema: The schema. Descriptions in the metadata of its fields become comments.
    """
    return StructType.fromJson({"type": "struct", "fields": [_spark_field(f) for f in schema]})


def _spark_field(field: pa.Field) -> dict[str, Any]:
    description = (field.metadata or {}).get(COMMENT)
    metadata = {"comment": description.decode()} if description else {}
    kind, is_nullable = name_of(field.type), field.nullable
    return {"name": field.name, "type": kind, "nullable": is_nullable, "metadata": metadata}


def name_of(kind: pa.DataType) -> str:
    """Return the name of a type in Spark.

    Args:
        kind: The type in Arrow.
    """
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return _NAMES[kind]


def bare(schema: pa.Schema) -> pa.Schema:
    """Return a schema without metadata, as Spark expects it of record batches.

    Args:
        schema: The schema.
    """
    return pa.schema([pa.field(each.name, each.type, nullable=each.nullable) for each in schema])


def to_arrow(schema: StructType) -> pa.Schema:
    """Convert a schema of Spark to one of Arrow.

    Args:
        schema: The schema, which may be the user's own.

    Raises:
        SettingsError: A column has a type that the data source does not have.
    """
    return pa.schema([pa.field(f.name, _arrow_type(f), nullable=f.nullable) for f in schema.fields])


def _arrow_type(field: Any) -> pa.DataType:  # noqa: ANN401 - PySpark has no types here
    name = field.dataType.jsonValue()
    if isinstance(name, str) and name in _TYPES:
        return _TYPES[name]
    if isinstance(name, str) and (decimal := _DECIMAL.fullmatch(name)):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    msg = (
        f"The column {field.name!r} can't have the type {field.dataType.simpleString()}: "
        "docs/spark.md lists the types."
    )
    raise SettingsError(msg)
