"""Estimate: the plan for tables, from row counts, measured pages, and how the tap reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.extract.read import FULL_TABLE, INCREMENTAL, LOG_BASED
from tap_dynamics365.planning import advice, requests, row_counts
from tap_dynamics365.planning.plan import DAY, Limit, Load, Plan, TablePlan
from tap_dynamics365.planning.requests import Size
from tap_dynamics365.planning.row_counts import RowCount, Source
from tap_dynamics365.services.limits import WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_dynamics365.planning.measurements import Measurements
    from tap_dynamics365.planning.page_sizes import MeasuredPage
    from tap_dynamics365.planning.requests import Needed, Way
    from tap_dynamics365.planning.tables import PlannedTable
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.services.limits import Limits
    from tap_dynamics365.settings import Settings


@dataclass(frozen=True)
class _Table:
    """A table, and the longest time of a part of it that is read page by page.

    Attributes:
        plan: The plan of the table.
        first_chain: Seconds of the first run.
        later_chain: Seconds of a later run.
    """

    plan: TablePlan
    first_chain: float
    later_chain: float


def estimate(
    tables: Sequence[PlannedTable],
    service: Service,
    settings: Settings,
    *,
    counts: Mapping[str, RowCount],
    pages: Mapping[str, MeasuredPage | ServiceError] | None = None,
) -> Plan:
    """Estimate what runs cost.

    Args:
        tables: The tables.
        service: The service.
        settings: The settings.
        counts: The rows of tables, as far as they are known.
        pages: Pages of tables, as far as they were read; None if none were.

    Raises:
        ServiceError: The ways through parents can't be read.
    """
    found = [_table(each, service, settings, counts, pages or {}) for each in tables]
    plans, parallel = [each.plan for each in found], service.client.concurrency.maximum
    # The list of the parts of the service, such as companies.
    listed = int(any(table.is_divided for table in tables))
    first = _total(
        [plan.first_load for plan in plans], listed, parallel, (t.first_chain for t in found)
    )
    later = _total(
        [plan.each_run for plan in plans], listed, parallel, (t.later_chain for t in found)
    )
    limits = [*_limits(service.kind.limits, first, later, plans)]
    return Plan(
        service=service.kind.name,
        tables=plans,
        first_load=first,
        each_run=later,
        parallel_requests=parallel,
        is_measured=bool(pages),
        limits=limits,
        advice=[*advice.find(tables, plans, limits, service.kind, settings.replication_method)],
    )


def make_plan(
    tables: Sequence[PlannedTable],
    service: Service,
    settings: Settings,
    measured: Measurements | None = None,
) -> Plan:
    """Ask the service what an estimate needs, and estimate what runs cost.

    Args:
        tables: The tables.
        service: The service.
        settings: The settings.
        measured: What was measured of these tables, or of some of them; None without measurements.

    Raises:
        ServiceError: The ways through parents can't be read.
        SignInError: The sign-in host gave no token.
    """
    counts = row_counts.snapshot(service, tables)
    if measured is None:
        return estimate(tables, service, settings, counts=counts)
    counts |= measured.counts
    return estimate(tables, service, settings, counts=counts, pages=measured.pages)


def _table(
    table: PlannedTable,
    service: Service,
    settings: Settings,
    counts: Mapping[str, RowCount],
    pages: Mapping[str, MeasuredPage | ServiceError],
) -> _Table:
    spec, dialect = table.parts[0], service.client.dialect
    way = requests.way(spec, service, settings, is_tracked=table.tracks_changes)
    answer = pages.get(table.name)
    page, error = (None, answer) if isinstance(answer, ServiceError) else (answer, None)
    most_parents = min(settings.fetch_size, dialect.most_at_once)
    counted = _counted(table, way, counts.get(table.name), page, most_parents)
    # The service may ignore the page size that is asked for.
    measured = page.rows if page is not None and not way.parents else 0
    sizes = [
        Size(
            rows,
            max(min(settings.fetch_size, dialect.largest_page), measured),
            parents,
            most_parents,
        )
        for rows, parents in zip(counted.parts, counted.parents, strict=True)
    ]
    first = [requests.first_load(way, size) for size in sizes]
    later = [requests.each_run(way, size) for size in sizes]
    other = FULL_TABLE if way.is_full else INCREMENTAL
    is_partial = bool(spec.row_filter) or way.starts_late
    plan = TablePlan(
        name=table.name,
        label=table.label,
        method=LOG_BASED if way.is_tracked else other,
        replication_key=None if way.is_full else spec.replication_key,
        source=None if None in counted.parts else counted.source,
        may_be_fewer=counted.source is Source.SNAPSHOT and is_partial,
        is_read_twice=way.has_number_key and not (way.is_tracked or way.starts_late),
        first_load=_load(first, page),
        each_run=_load(later, page),
        page=page,
        error=error.message if error is not None else None,
    )
    if way.is_ranged or page is None:
        return _Table(plan, 0, 0)
    return _Table(plan, *(page.seconds * _longest(needed) for needed in (first, later)))


def _counted(
    table: PlannedTable,
    way: Way,
    counted: RowCount | None,
    page: MeasuredPage | None,
    most_parents: int,
) -> RowCount:
    """Return the rows of a table, with those of its parents."""
    parents = (counted and counted.parents) or [{} for _ in table.parts]
    if page is not None and page.is_last and len(table.parts) == 1 and len(way.parents) <= 1:
        return RowCount([page.rows], Source.PAGE, parents)
    if page is not None and page.rows and len(way.parents) == 1:
        counts = [of_part.get(way.parents[0].name) for of_part in parents]
        on_page = min(counts[page.part] or 0, most_parents)
        if on_page:
            rate = page.rows / on_page
            rows = [None if count is None else round(count * rate) for count in counts]
            return RowCount(rows, Source.PARENTS, parents)
    rows = [*counted.parts] if counted is not None else [None for _ in table.parts]
    if page is not None and not page.is_last and not way.parents and rows[page.part] is not None:
        # There are more rows than on the page, also if the count is old.
        rows[page.part] = max(rows[page.part] or 0, page.rows + 1)
    return RowCount(rows, counted.source if counted is not None else Source.COUNT, parents)


def _longest(parts: Iterable[Needed]) -> int:
    return max((part.requests or 0 for part in parts), default=0)


def _load(parts: Sequence[Needed], page: MeasuredPage | None) -> Load:
    """Add up the parts of a table."""
    rows, needed = _sum(part.rows for part in parts), _sum(part.requests for part in parts)
    if page is None:
        return Load(rows=rows, requests=needed)
    a_row = page.wire_bytes / page.rows if page.rows else 0
    return Load(
        rows=rows,
        requests=needed,
        wire_bytes=None if rows is None else round(rows * a_row),
        seconds=None if needed is None else needed * page.seconds,
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    """Add up numbers; None if one is unknown."""
    found = [*numbers]
    known = [number for number in found if number is not None]
    return sum(known) if len(known) == len(found) else None


def _total(loads: Sequence[Load], listed: int, parallel: int, chains: Iterable[float]) -> Load:
    """Add up what is known of the tables; None if nothing is.

    Args:
        loads: The loads of the tables.
        listed: Further requests.
        parallel: The most requests in flight.
        chains: Seconds of what is read page by page.
    """
    rows = [load.rows for load in loads if load.rows is not None]
    needed = [load.requests for load in loads if load.requests is not None]
    received = [load.wire_bytes for load in loads if load.wire_bytes is not None]
    seconds = [load.seconds for load in loads if load.seconds is not None]
    return Load(
        rows=sum(rows) if rows else None,
        requests=sum(needed) + listed if needed else None,
        wire_bytes=sum(received) if received else None,
        seconds=max(sum(seconds) / parallel, *chains) if seconds else None,
    )


def _limits(
    limits: Limits, first: Load, later: Load, plans: Sequence[TablePlan]
) -> Iterator[Limit]:
    """Yield the shares that runs take of what the service lets one user take."""

    def share(amount: float | None, load: Load, full: int) -> float | None:
        if amount is None:
            return None
        return amount * min(1, WINDOW / load.seconds if load.seconds else 1) / full

    if limits.requests is not None:
        one, other = (share(load.requests, load, limits.requests) for load in (first, later))
        yield Limit("requests", limits.requests, one, other)
    if limits.seconds is not None:
        work = [
            [load.seconds for load in loads if load.seconds is not None]
            for loads in ([p.first_load for p in plans], [p.each_run for p in plans])
        ]
        one, other = (
            share(sum(seconds) if seconds else None, load, limits.seconds)
            for seconds, load in zip(work, (first, later), strict=True)
        )
        yield Limit("seconds of work", limits.seconds, one, other)
    if limits.requests_per_day is not None:
        full = limits.requests_per_day
        one, other = (
            None if load.requests is None else load.requests / full for load in (first, later)
        )
        yield Limit("requests", full, one, other, period=DAY)
