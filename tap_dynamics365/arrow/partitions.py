"""Partitions: a table in parts of about as many rows, for several processes.

Rows are divided by the time of their creation, which never changes. By the time of their last
change, rows would get lost: a row that changes while the partitions are read leaves a partition
that is not read yet, and enters one that was read before. Ids are no even partition either: those
that are made one after the other share most digits.

What is promised: each row that was there when the table was planned, and that was not deleted,
comes once, as it was at a later moment. Rows that are created later are left to the next plan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from tap_dynamics365.arrow.request import Replication, both, replication
from tap_dynamics365.errors import ServiceError, UnsortedError, is_query_refused
from tap_dynamics365.extract.pool import fetch_each
from tap_dynamics365.extract.range import Bound, Range
from tap_dynamics365.extract.read import FULL_TABLE, INCREMENTAL
from tap_dynamics365.extract.reader import TableReader
from tap_dynamics365.extract.table_spec import table_spec
from tap_dynamics365.odata.key_scale import Moments, position
from tap_dynamics365.services.table_schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.arrow.request import TableRequest
    from tap_dynamics365.odata.page import RawPage
    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings

# The cells that are measured for each partition.
CELLS = 2
# A cell with this many times the rows of an even partition is measured in pieces.
DENSE = 0.75
# How many times a cell that seems to have most of the rows is measured in pieces that grow.
TRIES = 3
# How many times as far from the beginning of the cell each piece ends as the one before.
GROWTH = 4


@dataclass(frozen=True)
class Partition:
    """A part of the rows of a table. It can be pickled, and holds no settings.

    Attributes:
        request: What to read of the table.
        described: The table.
        replication: How it is read, with the condition for the rows of the partition.
        rows: About how many rows it has; None if that is not known.
    """

    request: TableRequest
    described: Described
    replication: Replication
    rows: int | None = None


class Cell(NamedTuple):
    """A span of time.

    Attributes:
        low: Its beginning, as a number.
        high: Its end, which does not belong to it.
        rows: About how many rows were created in it.
        seen: The end of the part that its first page covers.
    """

    low: int
    high: int
    rows: float = 0.0
    seen: int = 0


def plan(
    service: Service, settings: Settings, described: Described, request: TableRequest, count: int
) -> list[Partition]:
    """Divide a table into partitions.

    Args:
        service: The service.
        settings: The filter of the table, and how many rows to ask for.
        described: The table.
        request: What to read of it.
        count: About how many partitions to make.

    Raises:
        ServiceError: The service refused.
        SignInError: The sign-in host gave no token.
    """
    table, definition = described
    chosen = replication(replace(request, method=FULL_TABLE), table, service.kind, settings)
    whole = [Partition(request, described, chosen)]
    created_at = service.kind.created_at
    is_virtual = definition is not None and definition.is_virtual
    if count < 2 or is_virtual or created_at not in {column.name for column in table.columns}:  # noqa: PLR2004 - one partition is the whole table
        return whole
    service.client.sign_in()
    try:
        cells = _Planner(service, settings, described, created_at, chosen.row_filter).cells(count)
    except ServiceError as error:
        if not (is_query_refused(error, is_virtual=False) or isinstance(error, UnsortedError)):
            raise
        return whole
    if len(cells) < 2:  # noqa: PLR2004 - as above
        return whole
    by_time = replace(chosen, method=INCREMENTAL, key=created_at)
    found = [
        Partition(
            request,
            described,
            replace(by_time, row_filter=both(chosen.row_filter, condition)),
            round(cell.rows),
        )
        for cell, condition in zip(cells, _conditions(created_at, cells), strict=True)
    ]
    schema = json_schema(table, definition)["properties"]
    if without := service.client.dialect.without_value(created_at, schema[created_at]):
        rest = replace(chosen, row_filter=both(chosen.row_filter, without))
        found.append(Partition(request, described, rest))
    return found


def _conditions(column: str, cells: Sequence[Cell]) -> list[str]:
    """Return the conditions for the rows of cells. The first cell has no beginning."""
    found = []
    for cell in cells:
        end = f"{column} lt {Moments.literal(cell.high)}"
        is_first = cell is cells[0]
        found.append(end if is_first else f"{column} ge {Moments.literal(cell.low)} and {end}")
    return found


def _joined(cells: Sequence[Cell], count: int) -> list[Cell]:
    """Join neighbouring cells to a number of partitions of about as many rows."""
    total, taken = sum(cell.rows for cell in cells), 0.0
    joined: list[Cell] = []
    for cell in cells:
        # The partition that the middle of the cell belongs to.
        at = int((taken + cell.rows / 2) / total * count) if total else 0
        taken += cell.rows
        if joined and at < len(joined):
            last = joined[-1]
            joined[-1] = Cell(last.low, cell.high, last.rows + cell.rows)
        else:
            joined.append(cell)
    return joined


class _Planner:
    """Measures how many rows were created when, with one page of keys for each cell."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        described: Described,
        created_at: str,
        row_filter: str,
    ) -> None:
        table, definition = described
        spec = table_spec(
            service,
            settings,
            table.name,
            table.entity_set,
            schema=json_schema(table, definition)["properties"],
            wanted=dict.fromkeys((created_at, *table.key)),
            row_key=table.key,
            stream_key=table.key,
            method=INCREMENTAL,
            replication_key=created_at,
        )
        spec = replace(spec, row_filter=both(row_filter, f"{created_at} ne null"))
        settings = replace(settings, start_date=None)
        self._reader = TableReader.without_state(spec, service.client, settings)
        self._read = self._reader.table.sorted_read(None)
        self._concurrency = service.client.concurrency

    def cells(self, count: int) -> list[Cell]:
        """Return spans of time that have all rows, and how many rows each has about.

        Args:
            count: How many partitions are wanted.

        Returns:
            One for each partition, in order; one or none if all rows fit into a page, or the
            times can't be read.
        """
        self._reader.pages.fit_columns()
        first = self._page(None)
        low = position(Moments, first.first)
        high = position(Moments, first.last)
        if low is None or high is None:
            return []
        if not first.is_last:
            high = position(Moments, self._reader.pages.fetch_max_key())
            if high is None:
                return []
        # A whole second, so that fractions which are not sent don't matter.
        end = Moments.edge(high + 1)
        if first.is_last:
            return [Cell(low, end, len(first.rows))]
        page_rows = len(first.rows)
        cells = self._without_bursts(self._measured(_cut(Cell(low, end), CELLS * count)))
        total = sum(cell.rows for cell in cells)
        # More partitions than pages would cost requests and gain nothing.
        even = DENSE * max(total / count, page_rows)
        pieces = [
            (cell, _cut(cell, ceil(cell.rows / even)) if cell.rows > even else []) for cell in cells
        ]
        measured = iter(self._measured([piece for _, found in pieces for piece in found]))
        fine = [
            each for cell, found in pieces for each in ([next(measured) for _ in found] or [cell])
        ]
        total = sum(cell.rows for cell in fine)
        return _joined(fine, max(1, min(count, round(total / page_rows))))

    def _without_bursts(self, cells: Sequence[Cell]) -> list[Cell]:
        """Measure a cell once more that seems to have most of the rows.

        Tables often begin with an import. The first page of its cell then says nothing about the
        rest of the cell, which may be years.
        """
        found = [*cells]
        for _ in range(TRIES):
            largest = max(found, key=lambda cell: cell.rows)
            pieces = _growing(largest)
            if len(pieces) == 1 or largest.rows < sum(cell.rows for cell in found) / 2:
                break
            at = found.index(largest)
            found[at : at + 1] = self._measured(pieces)
        return found

    def _measured(self, cells: Sequence[Cell]) -> list[Cell]:
        """Measure the rows of cells, with one request for each."""
        found: dict[Cell, Cell] = {}

        def take(cell: Cell, page: RawPage | Exception) -> None:
            if isinstance(page, Exception):
                raise page
            found[cell] = _estimated(cell, page)

        fetch_each(cells, self._page, take, self._concurrency)
        return [found[cell] for cell in cells]

    def _page(self, cell: Cell | None) -> RawPage:
        """Fetch the first page of keys of a cell."""
        place = Range()
        if cell is not None:
            low, high = (Bound(at, Moments.literal(at)) for at in (cell.low, cell.high))
            place = Range(low=low, high=high)
        read = replace(self._read, understood=set())
        return read.accept(self._reader.pages.fetch(read, place))


def _cut(cell: Cell, count: int) -> list[Cell]:
    """Cut a span of time into equal ones of at least a second."""
    edges = sorted(
        {Moments.edge(cell.low + (cell.high - cell.low) * at // count) for at in range(1, count)}
        - {cell.high}
    )
    bounds = [cell.low, *(edge for edge in edges if cell.low < edge < cell.high), cell.high]
    return [Cell(low, high) for low, high in pairwise(bounds)]


def _growing(cell: Cell) -> list[Cell]:
    """Cut a span of time into what its first page covers, and pieces that get longer and longer."""
    bounds, edge = [cell.low], cell.seen
    while edge < cell.high:
        bounds.append(edge)
        edge = Moments.edge(cell.low + GROWTH * (edge - cell.low))
    return [Cell(low, high) for low, high in pairwise([*bounds, cell.high])]


def _estimated(cell: Cell, page: RawPage) -> Cell:
    """Estimate the rows of a cell by its first page."""
    rows, seen = float(len(page.rows)), cell.high
    last = position(Moments, page.last)
    if not page.is_last and last is not None:
        seen = min(Moments.edge(last + 1), cell.high)
        rows *= (cell.high - cell.low) / (seen - cell.low)
    return cell._replace(rows=rows, seen=seen)
