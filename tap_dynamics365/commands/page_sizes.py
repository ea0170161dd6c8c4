"""Page sizes: how many bytes one page of a table has on the wire, as a first run requests it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from tap_dynamics365.errors import ServiceError, failure_of_table
from tap_dynamics365.extract.pool import fetch_each
from tap_dynamics365.extract.read import INCREMENTAL
from tap_dynamics365.extract.reader import TableReader
from tap_dynamics365.extract.table import TableSpec
from tap_dynamics365.services import part as parts
from tap_dynamics365.services.describe import Described
from tap_dynamics365.singer.discovery import make_entries
from tap_dynamics365.singer.table_spec import table_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from singer_sdk.singerlib import CatalogEntry

    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings

# Rows are looked for in so many parts of a table, such as companies.
MOST_PARTS = 3


class MeasuredPage(NamedTuple):
    """The size of a page.

    Attributes:
        rows: How many rows it has.
        received: How many bytes were received for it, before they are decompressed.
    """

    rows: int
    received: int


def page_sizes(
    service: Service,
    settings: Settings,
    found: Sequence[Described],
    report: Callable[[int, int], None],
) -> dict[str, MeasuredPage | ServiceError]:
    """Read one page of each table, with all columns, as the first run of the tap requests it.

    Args:
        service: The service.
        settings: The settings.
        found: The tables.
        report: Called with the number of tables that were read, and the number of all.

    Returns:
        The size of the page of each table; or why there is none.

    Raises:
        ServiceError: The parts of the service can't be listed.
        SignInError: The sign-in host gave no token.
    """
    # The first page of change tracking may have keys only.
    settings = replace(settings, replication_method=INCREMENTAL)
    listed = [Described(structs.replace(table, private=False), each) for table, each in found]
    entries = make_entries(listed, service.kind, settings, is_selected=True)
    service.client.sign_in()
    specs = _specs(entries, service, settings)
    sizes: dict[str, MeasuredPage | ServiceError] = {}

    def take(name: str, answer: MeasuredPage | Exception) -> None:
        sizes[name] = failure_of_table(answer) if isinstance(answer, Exception) else answer
        report(len(sizes), len(specs))

    fetch_each(
        specs,
        lambda name: _of_table(specs[name], service, settings),
        take,
        service.client.concurrency,
    )
    return sizes


def _specs(
    entries: Iterable[CatalogEntry], service: Service, settings: Settings
) -> dict[str, list[TableSpec]]:
    """Return what to read of each table: the whole table, or some of its parts."""
    kind, specs = service.kind, dict[str, list[TableSpec]]()
    selected = [part for part in kind.parts(service.client, settings) if part.is_selected]
    for entry in entries:
        spec = table_spec(entry, entry.replication_method or INCREMENTAL, service, settings)
        columns = parts.columns(kind.part_columns, spec.schema)
        in_parts = [spec.in_part(part, columns) for part in selected[:MOST_PARTS] if columns]
        specs[entry.tap_stream_id] = in_parts or [spec]
    return specs


def _of_table(specs: Sequence[TableSpec], service: Service, settings: Settings) -> MeasuredPage:
    """Read a page of a table, of its first part that has rows."""
    pages, refusals = [MeasuredPage(0, 0)], []
    for spec in specs:
        try:
            pages.append(_of_part(spec, service, settings))
        except ServiceError as error:
            refusals.append(error)
        if pages[-1].rows:
            break
    if len(refusals) == len(specs):
        raise refusals[0]
    return pages[-1]


def _of_part(spec: TableSpec, service: Service, settings: Settings) -> MeasuredPage:
    reader = TableReader.without_state(spec, service.client, settings)
    traffic = service.client.traffic
    reads = reader.reads()
    read = next(reads)
    while True:
        before = traffic.received_here
        try:
            page = reader.pages.fetch(read, read.first_ranges()[0])
        except ServiceError as error:
            # Another way to read the table, if there is one.
            read = reads.throw(error)
        else:
            return MeasuredPage(len(page.rows), traffic.received_here - before)
