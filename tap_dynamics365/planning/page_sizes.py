"""Page sizes: one page of each table, as a first run requests it: its bytes, time and columns."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from tap_dynamics365.errors import ServiceError, failure_of_table
from tap_dynamics365.extract.pool import fetch_each
from tap_dynamics365.extract.read import INCREMENTAL, LOG_BASED
from tap_dynamics365.extract.reader import TableReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_dynamics365.extract.table import TableSpec
    from tap_dynamics365.planning.tables import PlannedTable
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings

# Rows are looked for in so many parts of a table, such as companies.
MOST_PARTS = 3
# The rows of a page whose columns are measured.
SAMPLE = 500

_decode = msgspec.json.Decoder(dict[str, Raw]).decode


@dataclass(frozen=True)
class MeasuredPage:
    """A page that was read.

    Attributes:
        rows: How many rows it has.
        wire_bytes: How many bytes were received for it, before they are decompressed.
        seconds: Seconds from the request to the whole page.
        is_last: Whether there are no rows after it.
        part: The number of the part of the table that it is of.
        columns: The mean bytes of a column in the JSON text of a row, by name.
    """

    rows: int
    wire_bytes: int
    seconds: float = 0.0
    is_last: bool = True
    part: int = 0
    columns: Mapping[str, float] = field(default_factory=dict)


def page_sizes(
    service: Service,
    settings: Settings,
    tables: Sequence[PlannedTable],
    report: Callable[[int, int], None],
) -> dict[str, MeasuredPage | ServiceError]:
    """Read one page of each table as the first run of the tap requests it.

    Args:
        service: The service.
        settings: The settings.
        tables: The tables.
        report: Called with the number of tables that were read, and the number of all.

    Returns:
        The page of each table; or why there is none.

    Raises:
        SignInError: The sign-in host gave no token.
    """
    service.client.sign_in()
    sizes: dict[str, MeasuredPage | ServiceError] = {}

    def take(table: PlannedTable, answer: MeasuredPage | Exception) -> None:
        sizes[table.name] = failure_of_table(answer) if isinstance(answer, Exception) else answer
        report(len(sizes), len(tables))

    fetch_each(
        tables,
        lambda table: _of_table(table.parts[:MOST_PARTS], service, settings),
        take,
        service.client.concurrency,
    )
    return sizes


def _of_table(specs: Sequence[TableSpec], service: Service, settings: Settings) -> MeasuredPage:
    """Read a page of a table, of its first part that has rows."""
    pages, refusals = [MeasuredPage(0, 0)], []
    for number, spec in enumerate(specs):
        try:
            pages.append(replace(_of_part(spec, service, settings), part=number))
        except ServiceError as error:
            refusals.append(error)
        if pages[-1].rows:
            break
    if len(refusals) == len(specs):
        raise refusals[0]
    return pages[-1]


def _of_part(spec: TableSpec, service: Service, settings: Settings) -> MeasuredPage:
    # The first page of change tracking may have keys only.
    method = INCREMENTAL if spec.method == LOG_BASED else spec.method
    spec = replace(spec, method=method)
    reader = TableReader.without_state(spec, service.client, settings)
    traffic = service.client.traffic
    reads = reader.reads()
    read = next(reads)
    while True:
        before, began = traffic.received_here, time.monotonic()
        try:
            page = reader.pages.fetch(read, read.first_ranges()[0])
        except ServiceError as error:
            # Another way to read the table, if there is one.
            read = reads.throw(error)
        else:
            return MeasuredPage(
                len(page.rows),
                traffic.received_here - before,
                time.monotonic() - began,
                page.is_last,
                columns=_columns(page.rows[:SAMPLE]),
            )


def _columns(rows: Iterable[Raw]) -> dict[str, float]:
    """Measure the columns of rows."""
    sizes, count = Counter[str](), 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the number of rows
        for name, value in _decode(row).items():
            # Quotation marks, a colon and a comma.
            sizes[name] += len(name.encode()) + len(bytes(value)) + 4
    return {name: size / count for name, size in sizes.items()}
