"""List of tables, which a DataFrame without a table has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql.datasource import DataSourceReader, InputPartition
from typing_extensions import override

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.spark import schemas
from tap_dynamics365.spark.source import SparkSource
from tap_dynamics365.spark.tasks import fitted
from tap_dynamics365.spark.without_secrets import WithoutSecrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql.types import StructType

    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.spark.options import Options

SCHEMA = pa.schema(
    [
        pa.field("table", pa.string(), nullable=False),
        pa.field("entity_set", pa.string(), nullable=False),
        pa.field("title", pa.string()),
        pa.field("description", pa.string()),
        pa.field("key", pa.string(), nullable=False),
        pa.field("columns", pa.int32(), nullable=False),
        pa.field("is_tracked", pa.bool_(), nullable=False),
    ]
)


class TableListReader(WithoutSecrets, DataSourceReader):
    """Reads the list of tables. The driver asks for it, and one task passes it on.

    Args:
        options: The options of the DataFrame.
        schema: The columns to read.
    """

    def __init__(self, options: Options, schema: StructType) -> None:
        self._options = options
        self._schema = schemas.to_arrow(schema)
        for name in self._schema.names:
            if name not in SCHEMA.names:
                msg = f"The list of tables has no column {name!r}: name a table in load."
                raise SettingsError(msg)

    @override
    def partitions(self) -> list[InputPartition]:
        with SparkSource(self._options.config) as source:
            rows = [_row(described) for described in source.tables()]
        return [InputPartition(rows)]

    @override
    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        yield fitted(pa.RecordBatch.from_pylist(partition.value, schema=SCHEMA), self._schema)


def _row(described: Described) -> dict[str, object]:
    table, definition = described
    title = None if definition is None else definition.display_name.text
    description = None if definition is None else definition.description.text
    return {
        "table": table.name,
        "entity_set": table.entity_set,
        "title": title or None,
        "description": table.description or description or None,
        "key": ",".join(table.key),
        "columns": len(table.columns),
        "is_tracked": table.tracked,
    }
