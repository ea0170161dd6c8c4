"""Streams: read what has changed in a table, batch by batch.

Spark keeps one reader on the driver for the life of a query, which it asks for offsets and
partitions. Executors get a pickle of it once, and the tasks of each batch.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.datasource import DataSourceStreamReader, InputPartition
from typing_extensions import override

from tap_dynamics365.errors import Failure, ServiceError, SettingsError
from tap_dynamics365.extract.read import DELETED_AT
from tap_dynamics365.odata.query import instant
from tap_dynamics365.spark import schemas, tasks
from tap_dynamics365.spark.source import SparkSource
from tap_dynamics365.spark.tasks import Task
from tap_dynamics365.spark.without_secrets import WithoutSecrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql.types import StructType

    from tap_dynamics365.arrow import Described
    from tap_dynamics365.arrow.changes import Changes
    from tap_dynamics365.spark.options import Options

    Offset = dict[str, Any]

# A delta token is renewed after this time even if nothing has changed: services forget changes, by
# default after seven days.
OLDEST_TOKEN_SECONDS = 86_400

#: The column with the number of the batch that a row came in. Later states have greater numbers.
SEQUENCE = "_sdc_sequence"

_WORDS = {
    DELETED_AT: "When the row was found to be deleted; null for a row that is there.",
    SEQUENCE: "The number of the batch. A later state of a row has a greater one.",
}
ADDED = pa.schema(
    [
        pa.field(DELETED_AT, pa.timestamp("us", "UTC"), metadata={"comment": _WORDS[DELETED_AT]}),
        pa.field(SEQUENCE, pa.int64(), nullable=False, metadata={"comment": _WORDS[SEQUENCE]}),
    ]
)

EXPIRED = (
    "The service no longer has the changes of {table!r} since the last batch. It keeps them for "
    "seven days, unless an administrator has changed that. Start the query with a new checkpoint: "
    "it reads the whole table. Then delete those rows from the target that did not come."
)
OTHER_QUERY = (
    "The checkpoint is that of another query, which reads {table} of {service} with changes="
    "{changes}. Give each query a checkpointLocation of its own."
)
NEEDS_DELETED = (
    f"Your schema needs the column {DELETED_AT}: without it, a deleted row looks like a row "
    "without values."
)
NO_KEY = (
    "The table {table!r} has no column with the time of the last change, so a stream can't find "
    "out what has changed: read it as a batch."
)


def with_added(schema: pa.Schema) -> pa.Schema:
    """Add the columns of tracked changes to the schema of a table.

    Args:
        schema: The schema.
    """
    return pa.schema([*schema, *ADDED])


class StreamReader(WithoutSecrets, DataSourceStreamReader):
    """Reads a table as a stream.

    Offsets say what they are of, so that no query goes on from the checkpoint of another one.

    Args:
        options: The options of the query.
        schema: The columns to read.
        described: The table, if it was described before.
    """

    # The columns that the service does not have.
    _added: Sequence[str] = ()

    def __init__(
        self, options: Options, schema: StructType, described: Described | None = None
    ) -> None:
        self._described = described
        self._schema = schemas.to_arrow(schema)
        own = [field.name for field in self._schema if field.name not in self._added]
        self._options = options.reading(own)
        self._table = options.table

    @cached_property
    def _source(self) -> SparkSource:
        """The service, which the driver keeps open and signs in to."""
        return SparkSource(self._options.config, self._described)

    def _offset(self, **place: Any) -> Offset:
        """Return an offset of this query."""
        return {
            "service": self._source.settings.service_url,
            "table": self._table,
            "changes": self._options.changes,
            **place,
        }

    def _check(self, *offsets: Offset) -> None:
        """Refuse offsets of another query.

        Raises:
            SettingsError: One of them is.
        """
        own = self._offset()
        for offset in offsets:
            found = {name: offset.get(name) for name in own}
            if found != own:
                raise SettingsError(OTHER_QUERY.format(**found))

    @override
    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        if isinstance(partition.value, Task):
            yield from tasks.read(partition.value, self._schema)

    @override
    def stop(self) -> None:
        if "_source" in self.__dict__:
            self._source.close()
            del self._source


class RefusingReader(DataSourceStreamReader):
    """Says what is wrong with the options of a stream, as soon as Spark asks for an offset.

    An error before that would be hidden: Spark replaces it by one of its own.

    Args:
        message: What is wrong.
    """

    def __init__(self, message: str) -> None:
        self._message = message

    @override
    def initialOffset(self) -> Offset:
        raise SettingsError(self._message)

    @override
    def latestOffset(self, start: object = None, limit: object = None) -> Offset:
        raise SettingsError(self._message)

    @override
    def partitions(self, start: object, end: object) -> list[InputPartition]:
        raise SettingsError(self._message)

    @override
    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        raise SettingsError(self._message)


class ModifiedReader(StreamReader):
    """Reads the rows that were changed in a span of time, by the time of their last change.

    A batch ends `lookback_seconds` before now, because rows may be committed late. A row that
    changes while a batch is read leaves the span, and comes in a later batch. Deletes are not seen.

    A company that was not there in the batch before is read from its first row: the rows of a copy
    keep the times of their change.
    """

    # What Spark got last: the start of the next batch before Spark 4.2.
    _latest: Offset | None = None

    @override
    def initialOffset(self) -> Offset:
        return self._offset(until="")

    @override
    def latestOffset(self, start: Offset | None = None, limit: object = None) -> Offset:
        """Return where the next batch ends. Spark gives a start and a limit from 4.2 on."""
        start = start or self._latest
        if start is not None:
            self._check(start)
        companies = self._companies
        try:
            newest, now = self._source.newest(self._table, self._changed_at)
        except ServiceError as error:
            if companies and (named := tasks.naming_companies(error)) is not None:
                raise named from error
            raise
        late = timedelta(seconds=self._source.lookback_seconds)
        until = instant(now.replace(microsecond=0) - late)
        if start is not None and (begin := start["until"]):
            is_changed = newest is not None and newest >= datetime.fromisoformat(begin)
            if not is_changed and {*companies} <= {*start.get("companies", ())}:
                # Nothing has changed, and Spark runs no batch.
                return start
            until = max(begin, until)
        divided = {"companies": companies} if companies else {}
        self._latest = self._offset(until=until, **divided)
        return self._latest

    @override
    def partitions(self, start: Offset, end: Offset) -> list[InputPartition]:
        self._check(start, end)
        if start == end:
            return []
        options, source, until = self._options, self._source, end["until"]
        if "companies" not in end:
            parts = tasks.divided(options, source, [self._between(start["until"], until)])
        else:
            # A company may have been removed since the batch was planned.
            there, before = {*self._companies}, {*start.get("companies", ())}
            found = [each for each in end["companies"] if each in there]
            parts = []
            for since, group in (
                (start["until"], [each for each in found if each in before]),
                ("", [each for each in found if each not in before]),
            ):
                if group:
                    parts += tasks.divided(options, source, [self._between(since, until)], group)
        return [InputPartition(task) for task in tasks.signed(options, source, parts)]

    def _between(self, since: str, until: str) -> str:
        """Return the condition for the rows that were changed in a span of time."""
        condition = f"{self._changed_at} lt {until}"
        if since:
            return f"{self._changed_at} ge {since} and {condition}"
        without = self._source.filter_columns(self._table)[self._changed_at].is_null
        return f"({condition} or {without})" if without else condition

    @property
    def _companies(self) -> list[str]:
        """The companies that there are now; empty if the table is not divided."""
        return self._source.companies(tasks.request_of(self._options))

    @cached_property
    def _changed_at(self) -> str:
        """The column with the time of the last change."""
        found = self._source.changed_at(self._table)
        if found is None:
            raise SettingsError(NO_KEY.format(table=self._table))
        return found


class TrackedReader(StreamReader):
    """Reads the changes that the service tracks, with deletes.

    The first batch gets a delta token, and then reads the table in parallel. Each later batch reads
    the changes since the token of the batch before. There is no reading between two tokens: a batch
    that is read once more may have newer states, which the next batch repeats.
    """

    _added = ADDED.names

    @override
    def initialOffset(self) -> Offset:
        return self._offset(token="", sequence=0, at=0)

    @override
    def latestOffset(self, start: Offset, limit: object) -> Offset:
        self._check(start)
        with self._explained():
            token = self._changes.token(start["token"] or None)
        now = int(time.time())
        is_new = now - start["at"] < OLDEST_TOKEN_SECONDS
        if start["token"] and is_new and not token.has_changes:
            # Nothing has changed, and Spark runs no batch.
            return start
        return self._offset(token=token.text, sequence=start["sequence"] + 1, at=now)

    @override
    def partitions(self, start: Offset, end: Offset) -> list[InputPartition]:
        self._check(start, end)
        if start == end:
            return []
        added = {SEQUENCE: end["sequence"]}
        if start["token"]:
            planned = [tasks.plan_changes(self._options, self._source, start["token"], added)]
        else:
            planned = tasks.plan(self._options, self._source, added=added)
        return [InputPartition(task) for task in planned]

    @override
    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        with self._explained():
            yield from super().read(partition)

    @cached_property
    def _changes(self) -> Changes:
        return self._source.changes(tasks.request_of(self._options))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what to do once a delta token has expired."""
        try:
            yield
        except ServiceError as error:
            if error.failure is not Failure.TOKEN_EXPIRED:
                raise
            message = EXPIRED.format(table=self._table)
            raise ServiceError(message, error.failure, response=error.response) from error
