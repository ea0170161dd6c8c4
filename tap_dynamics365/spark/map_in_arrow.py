"""Tables as DataFrames without a data source: for Spark 3.5, which has none in Python.

    df = read_table(spark, "account", service_url="https://…", client_id="…", client_secret="…")

The plan is made when the function is called, and each action reads the same partitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.spark import schemas, tasks
from tap_dynamics365.spark.options import Options
from tap_dynamics365.spark.source import SparkSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from tap_dynamics365.spark.tasks import Task

    Read = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

ONLY_BATCHES = (
    "read_table reads tables in batches, without the options changes and push_filters: these need "
    "the data source, and Spark 4.0 or later."
)


def read_table(spark: SparkSession, table: str, **options: str) -> DataFrame:
    """Read a table as a DataFrame, on any Spark from 3.5 on that has pandas.

    Args:
        spark: The session.
        table: The name of the table.
        **options: The options of the data source; see docs/spark.md.

    Returns:
        The rows. The access token of a person is that of the moment of the call.

    Raises:
        SettingsError: An option is missing, misspelt, or has a wrong value.
        MetadataError: There is no such table.
        ServiceError: The service refused.
        SignInError: The sign-in host gave no token.
    """
    read = Options.from_texts({**options, "table": table})
    if read.changes or read.push_filters:
        raise SettingsError(ONLY_BATCHES)
    with SparkSource(read.config) as source:
        schema = source.schema(table, read.columns, decimals=read.decimals, text=read.text)
        planned = tasks.plan(read.reading(schema.names), source)
    # The number of a task in each partition.
    numbers = spark.range(0, len(planned), 1, len(planned))
    return numbers.mapInArrow(_reading(planned, schemas.bare(schema)), schemas.to_spark(schema))


def _reading(planned: Sequence[Task], schema: pa.Schema) -> Read:
    """Return the function that executors run."""

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from tasks.read(planned[number], schema)

    return read
