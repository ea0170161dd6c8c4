"""Batch: reads a table as a DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql.datasource import DataSourceReader, InputPartition
from typing_extensions import override

from tap_dynamics365.spark import schemas, tasks
from tap_dynamics365.spark.filters import conditions
from tap_dynamics365.spark.source import SparkSource
from tap_dynamics365.spark.tasks import Task
from tap_dynamics365.spark.without_secrets import WithoutSecrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from pyspark.sql.datasource import Filter
    from pyspark.sql.types import StructType

    from tap_dynamics365.arrow import Described
    from tap_dynamics365.spark.options import Options


class TableReader(WithoutSecrets, DataSourceReader):
    """Reads a table.

    Args:
        options: The options of the DataFrame.
        schema: The columns to read.
        described: The table, if it was described before.
    """

    def __init__(
        self, options: Options, schema: StructType, described: Described | None = None
    ) -> None:
        self._options = options.reading(schema.fieldNames())
        self._described = described
        self._schema = schemas.to_arrow(schema)
        self._conditions: list[str] = []

    @override
    def partitions(self) -> list[InputPartition]:
        with SparkSource(self._options.config, self._described) as source:
            planned = tasks.plan(self._options, source, self._conditions)
        return [InputPartition(task) for task in planned]

    @override
    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        # If there is no partition, Spark makes one without a task.
        if isinstance(partition.value, Task):
            yield from tasks.read(partition.value, self._schema)


class FilteringReader(TableReader):
    """Reads the rows of a table that may fulfil the filters of a query.

    A class of its own, because Spark refuses a reader that takes filters while its setting
    `spark.sql.python.filterPushdown.enabled` is off, which is the default.
    """

    @override
    def pushFilters(self, filters: list[Filter]) -> list[Filter]:
        with SparkSource(self._options.config, self._described) as source:
            columns = source.filter_columns(self._options.table)
        # In another type of the user's own schema, other values may be equal.
        own = {each.name: each.type for each in self._schema}
        known = {name: each for name, each in columns.items() if own.get(name) == each.type}
        self._conditions = conditions(filters, known)
        # Spark looks at each row again.
        return filters
