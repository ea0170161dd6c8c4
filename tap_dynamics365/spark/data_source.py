"""Data source `dynamics365` for Apache Spark 4.0 and later."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pyspark.sql.datasource import DataSource
from typing_extensions import override

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.extract.read import DELETED_AT
from tap_dynamics365.spark import schemas, streams, table_list
from tap_dynamics365.spark.batch import FilteringReader, TableReader
from tap_dynamics365.spark.options import Options
from tap_dynamics365.spark.source import SparkSource

if TYPE_CHECKING:
    from pyspark.sql.datasource import DataSourceReader, DataSourceStreamReader
    from pyspark.sql.types import StructType

    from tap_dynamics365.arrow import Described

#: The name for `spark.read.format`.
NAME = "dynamics365"

# Since Spark 4.2, which gives the start of a batch to `latestOffset`.
_HAS_STARTS = "pyspark.sql.streaming.datasource"
FOR_STREAMS = "The option changes is for streams: use spark.readStream, or remove it."
FOR_BATCHES = (
    "A stream needs the option changes: modifiedon for rows by the time of their last change, or "
    "tracked for the changes that the service tracks, with deletes."
)
NEEDS_STARTS = (
    "changes=tracked needs Spark 4.2 or later: choose changes=modifiedon, which sees no deletes."
)
NO_OPTIONS = (
    "There are no options. A permanent table of Spark does not hand on its options: use CREATE "
    "TEMPORARY VIEW instead of CREATE TABLE."
)
NEEDS_TABLE = "A stream needs a table: name it in load."


class Dynamics365DataSource(DataSource):
    """Tables of Dynamics 365 as DataFrames; see docs/spark.md.

    Example:
        >>> spark.dataSource.register(Dynamics365DataSource)
        >>> df = spark.read.format("dynamics365").options(**options).load("account")
    """

    @classmethod
    @override
    def name(cls) -> str:
        return NAME

    # What `schema` leaves is pickled, so that the workers for actions read no metadata.
    _described: Described | None = None
    _is_handed_out = False

    @override
    def schema(self) -> StructType:
        options = self._read_options()
        if not options.table:
            return schemas.to_spark(table_list.SCHEMA)
        with SparkSource(options.config) as source:
            found = source.schema(
                options.table, options.columns, decimals=options.decimals, text=options.text
            )
            self._described = source.described(options.table)
        if options.changes == "tracked":
            found = streams.with_added(found)
        return schemas.to_spark(found)

    @override
    def reader(self, schema: StructType) -> DataSourceReader:
        options = self._read_options()
        self._is_handed_out = True
        if options.changes:
            raise SettingsError(FOR_STREAMS)
        if not options.table:
            return table_list.TableListReader(options, schema)
        return (FilteringReader if options.push_filters else TableReader)(
            options, schema, self._described
        )

    @override
    def streamReader(self, schema: StructType) -> DataSourceStreamReader:
        try:
            return self._stream_reader(schema)
        except SettingsError as error:
            return streams.RefusingReader(error.message)

    def _stream_reader(self, schema: StructType) -> streams.StreamReader:
        options = self._read_options()
        self._is_handed_out = True
        if not options.table:
            raise SettingsError(NEEDS_TABLE)
        if options.changes == "modifiedon":
            return streams.ModifiedReader(options, schema, self._described)
        if options.changes != "tracked":
            raise SettingsError(FOR_BATCHES)
        if find_spec(_HAS_STARTS) is None:
            raise SettingsError(NEEDS_STARTS)
        if DELETED_AT not in schema.fieldNames():
            raise SettingsError(streams.NEEDS_DELETED)
        return streams.TrackedReader(options, schema, self._described)

    def _read_options(self) -> Options:
        if not self.options:
            raise SettingsError(NO_OPTIONS)
        return Options.from_texts(dict(self.options))

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled.

        Spark pickles the data source for its workers on the driver, which need the options. From
        the moment that it has a reader, the pickle goes to executors, and has no options.
        """
        if self._is_handed_out:
            return {**self.__dict__, "options": {}, "_described": None}
        return self.__dict__
