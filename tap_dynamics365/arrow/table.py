"""Arrow table: the rows of one table on their way to record batches; a sink of the engine."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from tap_dynamics365.arrow.columns import DELETED, Columns
from tap_dynamics365.arrow.decoder import BatchDecoder, Layout
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.extract import order
from tap_dynamics365.extract.call_limit import CallLimit
from tap_dynamics365.extract.read import FULL_TABLE, LOG_BASED
from tap_dynamics365.extract.reader import TableReader
from tap_dynamics365.extract.skipped import Skipped
from tap_dynamics365.extract.state import TableState
from tap_dynamics365.extract.table import Table
from tap_dynamics365.extract.table_parts import TableParts
from tap_dynamics365.extract.table_spec import table_spec
from tap_dynamics365.extract.tally import Outcome, Tally
from tap_dynamics365.extract.version import TableVersion
from tap_dynamics365.services import part as divisions
from tap_dynamics365.services.conversion import conversions, without_null

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from tap_dynamics365.arrow.request import Replication, TableRequest
    from tap_dynamics365.arrow.types import ArrowColumn
    from tap_dynamics365.extract.page import Page, Piece
    from tap_dynamics365.extract.state import Entry
    from tap_dynamics365.extract.table import TableSpec
    from tap_dynamics365.extract.table_part import TablePart
    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.services.part import Part
    from tap_dynamics365.settings import Settings

    #: Takes a batch, or None if only the state of the table has changed, and the table's entry in
    #: the state after it.
    Take = Callable[["ArrowTable", pa.RecordBatch | None, dict[str, Any] | None], None]


class _Refusals(Skipped):
    """Keeps why a table, or a part of it, was skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.first: ServiceError | None = None

    def note(self, table: Table, error: ServiceError) -> None:
        self.first = self.first or error
        super().note(table, error)


class ArrowTable:
    """A table that is read.

    Args:
        service: The service.
        settings: The settings.
        described: The table.
        request: What to read of it.
        state: The state of the run. It changes while the table is read.
        chosen: How the table is replicated.
        every_part: Reads the parts of the service, selected or not.
        take: Takes the batches.

    Attributes:
        name: The name of the table.
        key: The columns that identify a row.
        method: The replication method.
        schema: The schema of the batches.
        tally: How far the extraction is.
        replaces_table: Whether rows that did not come were deleted, once the table has ended.
        error: Why the table failed, if it did.
    """

    def __init__(  # noqa: PLR0913 - what reading a table depends on
        self,
        service: Service,
        settings: Settings,
        described: Described,
        request: TableRequest,
        state: dict[str, Any],
        *,
        chosen: Replication,
        every_part: Callable[[], Sequence[Part]],
        take: Take,
    ) -> None:
        table, definition = described
        self.name, self.key = table.name, tuple(table.key)
        kind = service.kind
        self.method = chosen.method
        self._columns = Columns.of(described, has_names=settings.show_name_columns)
        self.columns = self._shown(request)
        self.schema = self._columns.arrow_schema(self.columns)
        names = [each.name for each in self.columns if each.name in self._columns.known]
        needed = dict.fromkeys((*self.key, *filter(None, [chosen.key])))
        hidden = [name for name in needed if name not in names]
        self._hidden = self._columns.chosen(hidden) if hidden else []
        self._conversions = conversions(kind.conversion, self._columns.schema, settings)
        spec = table_spec(
            service,
            settings,
            table.name,
            table.entity_set,
            schema=self._columns.schema,
            wanted=[*names, *(each.name for each in self._hidden)],
            row_key=self.key,
            stream_key=self.key,
            annotated={n: c.wire for n, c in self._columns.known.items() if n != c.wire},
            method=chosen.method,
            replication_key=chosen.key,
            is_virtual=definition is not None and definition.is_virtual,
        )
        self.spec = replace(spec, row_filter=chosen.row_filter)
        self.tally = Tally(table.name)
        self.replaces_table = False
        self.error: ServiceError | None = None
        self._service, self._settings, self._run = service, settings, state
        self._every_part, self._take = every_part, take
        self._part_columns = divisions.columns(kind.part_columns, self._columns.schema)
        self._state = TableState(state, table.name)
        self._refusals = _Refusals()
        self._calls = CallLimit(settings.stmt_call_limit)
        # The batch that was written, until the state after it is known.
        self._written: list[pa.RecordBatch] = []
        self._decoders: dict[str | None, BatchDecoder] = {}
        self._version = TableVersion(
            self._state,
            is_used=_uses_version(self._state, self.method),
            started_at=int(time.time()),
            is_divided=bool(self._part_columns),
        )

    def _shown(self, request: TableRequest) -> list[ArrowColumn]:
        """Return the columns of the batches."""
        names = request.columns
        if self.method == LOG_BASED and names:
            names = [*(name for name in self.key if name not in names), *names]
        shown = self._columns.chosen(names, text=request.text, decimals=request.decimals)
        return [*shown, DELETED] if self.method == LOG_BASED else shown

    @property
    def version(self) -> int | None:
        """The version of the rows; None if they have none, or before the first batch."""
        return self._version.number

    @property
    def refusal(self) -> ServiceError | None:
        """Why the service does not let the table be read, if it does not."""
        return self._refusals.first if self.tally.outcome is Outcome.SKIPPED else None

    @property
    def missing(self) -> ServiceError | None:
        """Why some rows did not come, if the table was read in part; None otherwise."""
        if self.tally.outcome is not Outcome.IN_PART:
            return None
        if self._refusals.first is not None:
            return self._refusals.first
        why = self.parts.reason_to_keep_rows or "stmt_call_limit does not allow more calls"
        message = f"{self.name!r} was read in part: {why}. The warnings in the log say more."
        return ServiceError(message)

    @cached_property
    def parts(self) -> TableParts[pa.RecordBatch]:
        """The selected parts of the table. To list those of the service may take a request."""
        return TableParts.of_table(
            self,
            self.spec,
            self._run,
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
            on_state=self.write_state,
            calls=self._calls,
            skipped=self._refusals,
        )

    # The output that all parts share.

    def decoder(self, key: str | None = None, version: int | None = None) -> BatchDecoder:  # noqa: ARG002 - batches carry no version
        """Return what decodes rows, which all parts share.

        Args:
            key: The replication key, if rows are sorted by it.
            version: The table version of the rows.
        """
        if key not in self._decoders:
            self._decoders[key] = BatchDecoder(self._layout, self.schema, key)
        return self._decoders[key]

    @cached_property
    def _layout(self) -> Layout:
        spec, scale = self.spec, self.spec.scale
        keys = {*spec.row_key, *spec.stream_key}
        return Layout(
            table=self.name,
            columns=self.columns,
            hidden=self._hidden,
            row_key=spec.row_key,
            partition=spec.partition if spec.partition in spec.row_key[1:] else "",
            blank_if_null=self._columns.blank_if_null,
            conversions={
                name: without_null(convert) if name in keys else convert
                for name, convert in self._conversions.items()
            },
            inspect_keys=None if scale is None else partial(order.inspect_keys, scale=scale),
        )

    def begin(self, page: Page[pa.RecordBatch]) -> None:
        """Take note of a page before its rows are written.

        Args:
            page: The page.
        """

    def write_piece(self, piece: Piece[pa.RecordBatch]) -> None:
        """Keep the batch of a page until the state after it is known.

        Args:
            piece: The piece.
        """
        self._written.append(piece.content)

    def write_state(self) -> None:
        """Hand over the batch that was written, and the state after it."""
        entry = self._run.get("bookmarks", {}).get(self.name)
        for batch in self._written or [None]:
            self._take(self, batch, entry)
        self._written.clear()

    def part_finished(self, part: TablePart[pa.RecordBatch], error: ServiceError | None) -> None:
        """End a part, and the table after its last part.

        Args:
            part: The part.
            error: Why it failed, if it did.
        """
        if error is not None:
            self.parts.fail(part, error)
            self.error = self.error or error
        if self.parts.are_finished:
            if self.parts.have_failed:
                self.parts.log_failures()
                self._version.give_up()
                self.tally.outcome = Outcome.FAILED
            else:
                self.tally.outcome = self.parts.outcome
                self.parts.conclude(self._version, self._state, self._replace)
        self.write_state()

    def _replace(self, version: int) -> None:  # noqa: ARG002 - batches carry no version
        self.replaces_table = True


def _uses_version(state: TableState, method: str) -> bool:
    """Tell whether rows get a table version, by which deleted rows are told.

    Not if the run before has read rows without one that this run continues: they would have to be
    read again.
    """
    entries: list[Entry] = [state.entry, *state.parts]
    if any(entry.version is not None for entry in entries):
        return True
    progress = ["full_table"]
    if method != FULL_TABLE:
        progress += ["replication_key", "window", "delta_token"]
    return all(getattr(entry, name) is None for entry in entries for name in progress)
