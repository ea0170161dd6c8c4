"""Table stream: one table as a Singer stream, written page by page or record by record."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from singer_sdk import metrics
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from typing_extensions import override

from tap_dynamics365.errors import CatalogError, ServiceError
from tap_dynamics365.extract import order
from tap_dynamics365.extract.call_limit import CallLimit
from tap_dynamics365.extract.read import DELETED_AT
from tap_dynamics365.extract.reader import TableReader
from tap_dynamics365.extract.state import TableState
from tap_dynamics365.extract.table import Table
from tap_dynamics365.extract.table_parts import TableParts
from tap_dynamics365.extract.tally import Outcome, Tally
from tap_dynamics365.extract.version import TableVersion
from tap_dynamics365.services import part as parts
from tap_dynamics365.services.conversion import conversions
from tap_dynamics365.singer import deletions, name_columns
from tap_dynamics365.singer.encoder import Encoder, records
from tap_dynamics365.singer.record_stream import RecordStream
from tap_dynamics365.singer.table_spec import table_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    import requests
    from msgspec import Raw
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import CatalogEntry, MetadataMapping, RecordMessage
    from singer_sdk.tap_base import Tap

    from tap_dynamics365.extract.page import Keys, Page, Piece
    from tap_dynamics365.extract.skipped import Skipped
    from tap_dynamics365.extract.table import TableSpec
    from tap_dynamics365.extract.table_part import TablePart
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.services.part import Part
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
        every_part: Reads the parts of the service, selected or not.
        skipped: Logs what is skipped.

    Attributes:
        spec: What to extract.
    """

    # The service sends JSON in the types of the schema, and only the columns asked for.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(  # noqa: PLR0913 - what a stream is made of
        self,
        tap: Tap,
        entry: CatalogEntry,
        service: Service,
        states: PacedStateWriter,
        settings: Settings,
        *,
        every_part: Callable[[], Sequence[Part]],
        skipped: Skipped,
    ) -> None:
        self.entry = entry
        self.writer = states.writer
        self._every_part = every_part
        self._skipped = skipped
        self._service = service
        self._settings = settings
        self._states = states
        self._metrics = ExitStack()
        self._has_begun = False
        self._calls = CallLimit(settings.stmt_call_limit)
        self._encoders: dict[tuple[str | None, int | None], Encoder] = {}
        # The part that is read record by record.
        self._current: TablePart[bytes] | None = None
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
        self.tally = Tally(self.name)
        #: For columns that are annotations of other columns: the names of the annotations in rows.
        self.annotated = name_columns.annotated(entry)
        self._state = TableState(cast("dict[str, Any]", self.tap_state), self.name)
        self._version = TableVersion(
            self._state,
            is_used=self.emit_activate_version_messages,
            started_at=self._initialized_at // 1000,
            is_divided=self.is_divided,
        )
        self.spec = table_spec(entry, self.replication_method, service, settings)

    @property
    def _part_columns(self) -> tuple[str, ...]:
        return parts.columns(self._service.kind.part_columns, self.schema["properties"])

    @property
    def is_divided(self) -> bool:
        """Whether the table has rows of its own in each part of the service."""
        return bool(self._part_columns)

    @cached_property
    def parts(self) -> TableParts[bytes]:
        """The selected parts of the table. To list those of the service may take a request."""
        return TableParts.of_table(
            self,
            self.spec,
            cast("dict[str, Any]", self.tap_state),
            self._open,
            columns=self._part_columns,
            every=self._every_part,
            # The limit may end the run before the last part.
            oldest_first=bool(self._settings.stmt_call_limit),
        )

    def _open(self, spec: TableSpec, state: TableState) -> TableReader:
        client, settings = self._service.client, self._settings
        table = Table(spec, state, self._version, settings, client, tally=self.tally)
        return TableReader(
            table,
            client,
            settings,
            on_state=lambda: self._states.write_now(self.tap_state),
            on_answer=self._log_duration,
            calls=self._calls,
            skipped=self._skipped,
        )

    @property
    def is_skipped(self) -> bool:
        """Whether the service lets no part of the table be read."""
        return self._outcome() is Outcome.SKIPPED

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
        return all(part.reader.is_refused(error) for part in self.parts.all[:1])

    @override
    def _outcome(self) -> Outcome:
        return self.parts.outcome

    # The engine's way: pages.

    def decoder(self, key: str | None = None, version: int | None = None) -> Encoder:
        """Return the encoder of rows, which all parts share.

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
                ids=self.spec.row_key,
                stream_key=self.spec.stream_key,
                partition=self.spec.partition,
                inspect_keys=self._inspect_keys,
                version=version,
            )
        return self._encoders[key, version]

    @cached_property
    def _inspect_keys(self) -> Callable[[Sequence[Raw | None]], Keys] | None:
        scale = self.spec.scale
        return None if scale is None else lambda values: order.inspect_keys(values, scale)

    def begin(self, page: Page[bytes] | None = None) -> None:
        """Write the SCHEMA message and start the metrics before the first record.

        Args:
            page: The page whose records are written next.
        """
        if not self._has_begun:
            self._has_begun = True
            self.announce()
            self._requests = self._metrics.enter_context(self._request_counter())
            self._records = self._metrics.enter_context(self.get_record_counter())
            self._metrics.enter_context(self.get_sync_timer())
        if page is not None:
            self._requests.increment()
            self._note_deletions(page)

    def write_piece(self, piece: Piece[bytes]) -> None:
        """Write the records of a piece.

        Args:
            piece: The piece.
        """
        self.writer.write_records(piece.content)
        self.state_manager.is_flushed = False
        self._records.increment(piece.rows)

    def write_state(self) -> None:
        """Write the state if it is due."""
        self._write_state_message()

    def _note_deletions(self, page: Page[bytes]) -> None:
        # Records of deleted rows carry no version, so the version is activated again.
        if page.has_deletions:
            self._version.is_outdated = True

    def part_finished(self, part: TablePart[bytes], error: ServiceError | None) -> None:
        """End a part, and the stream after its last part: activate the version, write the state.

        Args:
            part: The part.
            error: Why it failed, if it did.
        """
        if error is not None:
            self.parts.fail(part, error)
        if not self.parts.are_finished:
            self.write_state()
            return
        if self.parts.have_failed:
            self._metrics.close()
            self._fail_parts()
            self.fail()
            return
        self.tally.outcome = self._outcome()
        if not self.is_skipped:
            self.begin()
        self._metrics.close()
        if not self.is_skipped:
            self._conclude()
            self._finalize_state(self.stream_state)
        self.write_state()

    def _fail_parts(self) -> None:
        self.parts.log_failures()
        self._version.give_up()

    def _conclude(self) -> None:
        """Activate the version, and note in the state that the table is complete."""
        # The SDK's own connection test reads a part of a table without writing it.
        if self.ABORT_AT_RECORD_COUNT is None:
            self.parts.conclude(self._version, self._state, self.activate)

    # The SDK's way: records.

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Yield the rows one by one. If the service denies the table, it is skipped."""
        for part in self.parts.all:
            self._current = part
            try:
                yield from self._records_of(part)
            except ServiceError as error:
                part.error = error
            part.close()
        for first in [part.error for part in self.parts.all if part.error is not None]:
            self._fail_parts()
            raise first
        self._conclude()

    def _records_of(self, part: TablePart[bytes]) -> Iterator[Record]:
        reads = part.reader.reads()
        with self._request_counter() as requests_made:
            read = next(reads, None)
            while read is not None:
                # The SDK's messages carry the version.
                self._stream_version = read.version
                try:
                    for page in part.pages(read):
                        requests_made.increment()
                        part.reader.check_order(page)
                        self._note_deletions(page)
                        for record in records(page):
                            yield record
                            part.reader.table.sent(1)
                        part.reader.note_position(page)
                    read = next(reads, None)
                except ServiceError as error:
                    read = part.reader.fallback(reads, error)

    def fetch_sample(self) -> Record | None:
        """Fetch one row, in any thread.

        Returns:
            The row; None if there is none in the parts that were tried.

        Raises:
            ServiceError: The service refused, in all parts.
        """
        page = self.parts.fetch_sample()
        return next(records(page), None) if page is not None else None

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        reader = self._current.reader if self._current is not None else None
        if reader is not None and reader.read is not None and reader.read.sorted_by:
            reader.advance(latest_record.get(reader.read.sorted_by))

    @override
    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        if record.get(DELETED_AT) is None:
            yield from super()._generate_record_messages(record)
        else:
            yield from deletions.messages(self.stream_maps, self.schema["properties"], record)

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


def _breadcrumb(path: tuple[str, ...]) -> tuple[str, ...]:
    """Turn a path of names into a breadcrumb of the catalog's metadata."""
    return tuple(step for name in path for step in ("properties", name))
