"""Table stream: one table as a Singer stream, written page by page or record by record."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from singer_sdk import metrics
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from typing_extensions import override

from tap_dynamics365.errors import CatalogError, ServiceError
from tap_dynamics365.extract import order
from tap_dynamics365.extract.reader import TableReader
from tap_dynamics365.extract.state import TableState
from tap_dynamics365.extract.table import Table, TableSpec, check, check_filter
from tap_dynamics365.extract.version import TableVersion
from tap_dynamics365.services.conversion import conversions
from tap_dynamics365.settings import filters
from tap_dynamics365.singer import deletions, name_columns, stream_key
from tap_dynamics365.singer.catalog import DELETED_AT
from tap_dynamics365.singer.encoder import Encoder, records
from tap_dynamics365.singer.record_stream import RecordStream

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    import requests
    from msgspec import Raw
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import CatalogEntry, MetadataMapping, RecordMessage
    from singer_sdk.tap_base import Tap

    from tap_dynamics365.extract.page import Keys, Page
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.tally import Outcome
    from tap_dynamics365.odata.page import RawPage
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings
    from tap_dynamics365.singer.state_writer import PacedStateWriter


class TableStream(RecordStream):
    """The rows of one table.

    The engine writes pages of encoded records to it. Where records must be Python values, for
    stream maps or flattening, the SDK's own loop reads them one by one.

    Args:
        tap: The tap that the stream belongs to.
        entry: The catalog entry of the table.
        service: The service.
        states: Writes the state; its writer also writes the records.
        settings: The page size, and where the first run begins.
    """

    # The service sends JSON in the types of the schema, and only the columns asked for.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(
        self,
        tap: Tap,
        entry: CatalogEntry,
        service: Service,
        states: PacedStateWriter,
        settings: Settings,
    ) -> None:
        self.entry = entry
        self.writer = states.writer
        self._partition = service.kind.partition
        self._encoders: dict[tuple[str | None, int | None], Encoder] = {}
        self._metrics = ExitStack()
        self._has_begun = False
        if not entry.table:
            msg = (
                f"The catalog entry {entry.tap_stream_id!r} has no table_name: run --discover "
                "again."
            )
            raise CatalogError(msg)
        super().__init__(tap, name=entry.tap_stream_id, schema=entry.schema.to_dict())
        self._conversions = conversions(
            service.kind.conversion, self.schema["properties"], settings
        )
        self.primary_keys = entry.key_properties or ()
        self.replication_key = entry.replication_key
        self.forced_replication_method = entry.replication_method
        #: For columns that are annotations of other columns: the names of the annotations in rows.
        self.annotated = name_columns.annotated(entry)
        self.table = self._table(service, settings)
        self.tally = self.table.tally
        self.reader = TableReader(
            self.table,
            service.client,
            settings,
            on_state=lambda: states.write_now(self.tap_state),
            on_answer=self._log_duration,
        )

    def _table(self, service: Service, settings: Settings) -> Table:
        """Make the table of a catalog entry."""
        entry, properties = self.entry, self.schema["properties"]
        columns = {name: schema for name, schema in properties.items() if name != DELETED_AT}
        check(self.name, columns, self.replication_method, entry.replication_key)
        row_filter = filters.find(settings.filters, self.name)
        if self.selected:
            check_filter(self.name, self.replication_method, row_filter)
        wanted = [
            self.annotated.get(name, name) for name in columns if self.mask["properties", name]
        ]
        spec = TableSpec(
            name=self.name,
            entity_set=entry.table or "",
            schema=columns,
            columns=tuple(name_columns.columns(wanted)),
            annotations=tuple(name_columns.kinds(wanted)),
            row_key=stream_key.row_key(entry),
            stream_key=tuple(self.primary_keys),
            method=self.replication_method,
            replication_key=entry.replication_key,
            is_virtual=bool(entry.is_view),
            partition=self._partition,
            row_filter=row_filter,
            coverage=service.kind.coverage(settings),
        )
        state = TableState(cast("dict[str, Any]", self.tap_state), self.name)
        version = TableVersion(
            state,
            is_used=self.emit_activate_version_messages,
            started_at=self._initialized_at // 1000,
        )
        return Table(spec, state, version, settings, service.client)

    @property
    @override
    def metadata(self) -> MetadataMapping:
        return self.entry.metadata

    @property
    def is_passed_through(self) -> bool:
        """Whether records are passed on unchanged, so that the engine can write whole pages.

        Stream maps, flattening, child streams and the record limit of `--test` need Python values.
        """
        maps = self.stream_maps
        return (
            len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and not maps[0].flattening_enabled
            and not self.child_streams
            and self.ABORT_AT_RECORD_COUNT is None
        )

    @override
    def is_refused(self, error: ServiceError) -> bool:
        return self.reader.is_refused(error)

    @override
    def _outcome(self) -> Outcome:
        return self.reader.outcome

    # The engine's way: pages.

    def decode(self, read: TableRead, page: RawPage) -> Page:
        """Encode the rows of a page as RECORD messages, in any thread.

        Args:
            read: The read that the page belongs to.
            page: The page.

        Returns:
            The encoded page.

        Raises:
            ServiceError: The answer is not a page of rows.
        """
        encoder = self.encoder(read.sorted_by, read.version)
        encoded = encoder.page(page) if read.since is None else encoder.changes(page)
        return replace(encoded, end=page.end) if read.continues_by_key else encoded

    def encoder(self, key: str | None = None, version: int | None = None) -> Encoder:
        """Return the encoder of rows.

        Args:
            key: The replication key, if rows are sorted by it.
            version: The table version that records carry.
        """
        if (key, version) not in self._encoders:
            self._encoders[key, version] = Encoder(
                self.name,
                self.schema,
                lambda path: self.mask[_breadcrumb(path)],
                conversions=self._conversions,
                annotated=self.annotated,
                key=key,
                ids=self.table.spec.row_key,
                stream_key=self.table.spec.stream_key,
                partition=self._partition,
                inspect_keys=self._inspect_keys,
                version=version,
            )
        return self._encoders[key, version]

    @cached_property
    def _inspect_keys(self) -> Callable[[Sequence[Raw | None]], Keys] | None:
        scale = self.table.scale
        return None if scale is None else lambda values: order.inspect_keys(values, scale)

    def _begin(self) -> None:
        """Write the SCHEMA message and start the metrics before the first record."""
        if self._has_begun:
            return
        self._has_begun = True
        self.announce()
        self._requests = self._metrics.enter_context(self._request_counter())
        self._records = self._metrics.enter_context(self.get_record_counter())
        self._metrics.enter_context(self.get_sync_timer())

    def write(self, page: Page) -> None:
        """Write the records of a page, and the state after them.

        Args:
            page: The next page in order.

        Raises:
            UnsortedError: The rows are not in order. None of them was written.
        """
        self.reader.check_order(page)
        self._begin()
        self._requests.increment()
        self._note_deletions(page)
        for piece in page.pieces:
            self.writer.write_records(piece.lines)
            self.state_manager.is_flushed = False
            self.reader.advance(piece.keys.last)
            self._records.increment(piece.rows)
            self.tally.rows += piece.rows
        self.reader.note_position(page)
        self._write_state_message()

    def _note_deletions(self, page: Page) -> None:
        # Records of deleted rows carry no version, so the version is activated again.
        if page.has_deletions:
            self.table.version.is_outdated = True

    def finish(self, error: ServiceError | None = None) -> None:
        """End the stream: activate the version, and write the state.

        Args:
            error: Why the table failed, if it did.
        """
        if error is not None:
            self._metrics.close()
            self.fail(error)
            return
        self.tally.outcome = self._outcome()
        if not self.reader.is_skipped:
            self._begin()
        self._metrics.close()
        if not self.reader.is_skipped:
            self._conclude()
            self._finalize_state(self.stream_state)
        self._write_state_message()

    def _conclude(self) -> None:
        """Activate the version, and then note in the state that the table is complete.

        If the run ends between the two, the state still says that the table is incomplete.
        """
        # The SDK's own connection test reads a part of a table without writing it.
        is_part = self.reader.is_skipped or self.reader.is_cut_short
        if is_part or self.ABORT_AT_RECORD_COUNT is not None:
            return
        version = self.table.version
        if version.number is not None and version.is_outdated:
            self.activate(version.number)
        self.table.state.change(**self.table.at_end)

    # The SDK's way: records.

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Yield the rows one by one. If the service denies the table, it is skipped."""
        reads = self.reader.reads()
        with self._request_counter() as requests_made:
            read = next(reads, None)
            while read is not None:
                # The SDK's messages carry the version.
                self._stream_version = read.version
                try:
                    for page in self._pages(read):
                        requests_made.increment()
                        self.reader.check_order(page)
                        self._note_deletions(page)
                        for record in records(page):
                            yield record
                            self.tally.rows += 1
                        self.reader.note_position(page)
                    read = next(reads, None)
                except ServiceError as error:
                    read = self.reader.fallback(reads, error)
        self._conclude()

    def _pages(self, read: TableRead) -> Iterator[Page]:
        """Fetch the pages of a read one after the other."""
        ranges = read.first_ranges()
        while ranges:
            front = ranges[0]
            page = read.accept(self.reader.pages.fetch(read, front))
            front.sent = page.end or front.sent
            left = ranges[page.is_last :]
            yield replace(self.decode(read, page), remaining=[part.remaining for part in left])
            front.follow(page)
            ranges = left

    def fetch_sample(self) -> Record | None:
        """Fetch one row, in any thread.

        Returns:
            The row; None if there is none.

        Raises:
            ServiceError: The service refused.
        """
        page = self.reader.pages.fetch_sample()
        return next(records(self.encoder().page(page)), None)

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        read = self.reader.read
        if read is not None and read.sorted_by:
            self.reader.advance(latest_record.get(read.sorted_by))

    @override
    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        if record.get(DELETED_AT) is None:
            yield from super()._generate_record_messages(record)
        else:
            yield from deletions.messages(self.stream_maps, self.schema["properties"], record)

    # Overrides of the SDK's behaviour.

    def _request_counter(self) -> metrics.Counter:
        return metrics.http_request_counter(self.name, endpoint=self.entry.table or "")

    def _log_duration(self, response: requests.Response) -> None:
        """Log the duration of a request, as the SDK's REST streams do."""
        status = metrics.Status.SUCCEEDED if response.ok else metrics.Status.FAILED
        self._log_metric(
            metrics.Point(
                "timer",
                metric=metrics.Metric.HTTP_REQUEST_DURATION,
                value=response.elapsed.total_seconds(),
                tags={
                    metrics.Tag.STREAM: self.name,
                    metrics.Tag.ENDPOINT: self.entry.table,
                    metrics.Tag.HTTP_STATUS_CODE: response.status_code,
                    metrics.Tag.STATUS: status,
                },
            )
        )

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """Return nothing: the SDK's BATCH messages ignore selection and stream maps."""

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return nothing: the bookmark is limited by the service's time instead."""

    @override
    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Do nothing: the replication method knows where to begin."""

    @override
    def _process_record(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the SDK would filter the record for child streams. There are none."""


def _breadcrumb(path: tuple[str, ...]) -> tuple[str, ...]:
    """Turn a path of names into a breadcrumb of the catalog's metadata."""
    return tuple(step for name in path for step in ("properties", name))
