"""Row counts: how many rows a first run would read of each table, from the service's own counts."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from tap_dynamics365.errors import ServiceError, failure_of_table
from tap_dynamics365.extract.pool import fetch_each
from tap_dynamics365.extract.read import FULL_TABLE
from tap_dynamics365.extract.reader import SKIPPED, TableReader
from tap_dynamics365.odata import query
from tap_dynamics365.odata.client import with_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_dynamics365.extract.table import TableSpec
    from tap_dynamics365.planning.tables import PlannedTable
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings


# Stands for the rows of a table itself, and is no path.
OWN = ""


class Source(Enum):
    """Where a number of rows comes from.

    Attributes:
        SNAPSHOT: From a count that the service keeps, of all rows of the table.
        COUNT: From a count of the rows that a run would read now.
        PAGE: From a page that has all rows of the table.
        PARENTS: From a count of the parents, and the rows of some of them.
    """

    SNAPSHOT = "snapshot"
    COUNT = "count"
    PAGE = "page"
    PARENTS = "parents"


@dataclass(frozen=True)
class RowCount:
    """The rows of a table.

    Attributes:
        parts: How many rows each part of the table has, in the order of the parts; None if unknown.
        source: Where the numbers come from.
        parents: For a table that is read through parents: how many rows each parent has in each
            part, by the name of the path; None if unknown.
        is_more: Whether there are at least as many rows as the service can count.
    """

    parts: Sequence[int | None]
    source: Source
    parents: Sequence[Mapping[str, int | None]] = ()
    is_more: bool = False

    @property
    def total(self) -> int | None:
        """How many rows all parts have; None if one of them is not known."""
        known = [each for each in self.parts if each is not None]
        return sum(known) if len(known) == len(self.parts) else None


def snapshot(service: Service, tables: Sequence[PlannedTable]) -> dict[str, RowCount]:
    """Read the counts that the service keeps. Dataverse's are up to a day old.

    Args:
        service: The service.
        tables: The tables.

    Returns:
        The counts by table; empty if the service keeps none.
    """
    count_rows = service.kind.count_rows
    if count_rows is None:
        return {}
    counts = count_rows(service.client, [table.name for table in tables])
    return {name: RowCount([rows], Source.SNAPSHOT) for name, rows in counts}


def count(
    service: Service, settings: Settings, tables: Sequence[PlannedTable]
) -> dict[str, RowCount]:
    """Have the service count the rows that a first run reads, with a request for each part.

    The rows of a table that is read through parents can't be counted. Those of its parents are.
    More rows than the service counts are unknown.

    Args:
        service: The service.
        settings: The settings.
        tables: The tables.

    Returns:
        The counts by table.

    Raises:
        ServiceError: The ways through parents can't be read.
        SignInError: The sign-in host gave no token.
    """
    service.client.sign_in()
    urls = {
        table.name: [_urls(spec, service, settings) for spec in table.parts] for table in tables
    }
    counts: dict[str, int | None] = {}
    largest, beyond, skipped = service.client.dialect.largest_count, set[str](), set[str]()

    def take(url: str, answer: int | Exception) -> None:
        if isinstance(answer, Exception):
            counts[url] = None
            if failure_of_table(answer).failure in SKIPPED:
                # A run skips such a part.
                counts[url] = 0
                skipped.add(url)
        else:
            # The service says no larger number, however many rows there are.
            counts[url] = answer if answer < largest else None
            if answer >= largest:
                beyond.add(url)

    fetch_each(
        dict.fromkeys(url for parts in urls.values() for part in parts for url in part.values()),
        partial(_read, service, settings),
        take,
        service.client.concurrency,
    )
    found = {}
    for name, parts in urls.items():
        if skipped.issuperset(url for part in parts for url in part.values()):
            # Nobody knows how many rows a table has that can't be read at all.
            counts |= dict.fromkeys((url for part in parts for url in part.values()), None)
        numbers = [{path: counts[url] for path, url in part.items()} for part in parts]
        own = [part.pop(OWN, None) for part in numbers]
        is_more = not beyond.isdisjoint(url for part in parts for url in part.values())
        found[name] = RowCount(own, Source.COUNT, numbers, is_more)
    return found


def _urls(spec: TableSpec, service: Service, settings: Settings) -> dict[str, str]:
    """Return what counts the rows of a part of a table, or those of its parents by path."""
    if spec.is_bound and (paths := spec.parents()):
        return {path.name: f"{spec.url_of(path.parent)}/$count" for path in paths}
    bookmark = TableReader.without_state(spec, service.client, settings).table.bookmark
    start = bookmark.start() if bookmark is not None and spec.method != FULL_TABLE else None
    options = query.build((), bounded=spec.replication_key, start=start, row_filter=spec.row_filter)
    return {OWN: f"{spec.url}/$count{f'?{options}' if options else ''}"}


def _read(service: Service, settings: Settings, url: str) -> int:
    """Read a count (OData URL Conventions 4.01, section 4.8)."""
    url = with_options(url, service.kind.query_options(settings))
    body = service.client.read(url, lambda response: response.content, accept="text/plain")
    text = body.removeprefix(codecs.BOM_UTF8).decode(errors="replace").strip()
    if not (text.isascii() and text.isdigit()):
        msg = "The service sent no number of rows."
        raise ServiceError(msg)
    return int(text)
