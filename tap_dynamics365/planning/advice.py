"""Advice: what would make runs cheaper, from what the tables of a plan cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.extract.read import FULL_TABLE, INCREMENTAL, LOG_BASED
from tap_dynamics365.planning.plan import DAY, MOST_NAMED, Advice, Change, Kind, more, named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_dynamics365.planning.plan import Limit, TablePlan
    from tap_dynamics365.planning.tables import PlannedTable
    from tap_dynamics365.services.kind import ServiceKind

# A text or an image of so many bytes in a row on average is large.
LARGE_BYTES = 200
# The share of all bytes from which large columns are worth an advice.
LARGE_SHARE = 0.1
# The share of a limit from which it is worth an advice: other programs of the user count, too.
NEAR = 0.5


def find(
    tables: Sequence[PlannedTable],
    plans: Sequence[TablePlan],
    limits: Sequence[Limit],
    kind: ServiceKind,
    wanted: str,
) -> Iterator[Advice]:
    """Yield what would make runs cheaper.

    Args:
        tables: The tables.
        plans: Their plans, in the same order.
        limits: The limits of the service.
        kind: The service.
        wanted: The replication method that the settings ask for where a table supports it.
    """
    both = [*zip(tables, plans, strict=True)]
    concerned: dict[Kind, list[TablePlan]] = {}
    for table, plan in both:
        if (reason := _reason(table, plan, kind, wanted)) is not None:
            concerned.setdefault(reason, []).append(plan)
    for plan in concerned.get(Kind.LOG_BASED, ()):
        yield _log_based(plan)
    untracked = concerned.get(Kind.TRACKING_OFF, ())
    for method in (INCREMENTAL, FULL_TABLE):
        if found := [plan for plan in untracked if plan.method == method]:
            yield _tracking_off(method, found)
    if others := concerned.get(Kind.FULL_TABLE):
        yield _full_table(others)
    yield from _large_columns(both)
    for limit in limits:
        yield from _near(limit, kind)


def _reason(table: PlannedTable, plan: TablePlan, kind: ServiceKind, wanted: str) -> Kind | None:
    """Say why the replication of a table is worth an advice; None if it is not."""
    can_be_tracked = kind.tracks_changes and _has_one_key(table)
    if plan.method == INCREMENTAL:
        is_wanted = LOG_BASED in {table.parts[0].method, wanted}
        is_off = is_wanted and can_be_tracked and not table.tracks_changes
        return Kind.TRACKING_OFF if is_off else None
    if plan.method == LOG_BASED:
        return None
    if can_be_tracked and table.tracks_changes:
        return Kind.LOG_BASED
    if table.parts[0].scale is not None:
        # A table that has a replication key is read in full because somebody chose so.
        return None
    return Kind.TRACKING_OFF if can_be_tracked else Kind.FULL_TABLE


def _has_one_key(table: PlannedTable) -> bool:
    spec = table.parts[0]
    return len(spec.row_key) == 1 and spec.row_key == spec.stream_key


def _log_based(plan: TablePlan) -> Advice:
    words = f"Each run reads {_all_rows([plan])} of {plan.name}. LOG_BASED costs 1 request, and "
    words += "sees deleted rows."
    change = Change(replication_method=LOG_BASED)
    return Advice(kind=Kind.LOG_BASED, tables=[plan.name], sentence=words, change=change)


def _tracking_off(method: str, plans: Sequence[TablePlan]) -> Advice:
    if method == FULL_TABLE:
        words = f"Each run reads {_all_rows(plans)} of these tables, because they have no "
        words += f"replication key, and change tracking is off: {named(plans)}. "
    else:
        words = f"LOG_BASED is not used, because change tracking is off: {named(plans)}. Deleted "
        words += "rows are not seen. "
    words += "Turn on change tracking of these tables in the service, if it lets you, and choose "
    words += "LOG_BASED."
    return Advice(kind=Kind.TRACKING_OFF, tables=[plan.name for plan in plans], sentence=words)


def _full_table(plans: Sequence[TablePlan]) -> Advice:
    words = f"Each run reads {_all_rows(plans)} of these tables, because nothing tells which ones "
    words += f"have changed: {named(plans)}. Run these tables less often, or leave them out."
    return Advice(kind=Kind.FULL_TABLE, tables=[plan.name for plan in plans], sentence=words)


def _all_rows(plans: Sequence[TablePlan]) -> str:
    rows = [plan.first_load.rows for plan in plans]
    known = [number for number in rows if number is not None]
    return f"all {sum(known):,} rows" if len(known) == len(rows) else "all rows"


def _large_columns(both: Sequence[tuple[PlannedTable, TablePlan]]) -> Iterator[Advice]:
    """Yield an advice if large texts and images are much of the bytes of the first load."""
    total, sizes = 0.0, dict[tuple[str, str], float]()
    for table, plan in both:
        page, received, spec = plan.page, plan.first_load.wire_bytes, table.parts[0]
        if page is None or not received:
            continue
        total += received
        a_row = sum(page.columns.values())
        for column, size in page.columns.items():
            is_text = "string" in spec.schema.get(column, {}).get("type", ())
            if is_text and size >= LARGE_BYTES and column not in spec.keys:
                sizes[plan.name, column] = received * size / a_row
    share = sum(sizes.values()) / total if total else 0.0
    if share < LARGE_SHARE:
        return
    ordered = sorted(sizes, key=lambda place: -sizes[place])
    names = ", ".join(".".join(place) for place in ordered[:MOST_NAMED]) + more(len(ordered))
    words = f"Large texts and images are about {share:.0%} of the bytes: {names}. "
    words += "Leave out those that you do not need."
    yield Advice(
        kind=Kind.LARGE_COLUMNS,
        tables=[*dict.fromkeys(table for table, _ in ordered)],
        sentence=words,
        change=Change(deselect=ordered),
    )


def _near(limit: Limit, kind: ServiceKind) -> Iterator[Advice]:
    """Yield an advice for a run that takes much of a limit."""
    for run, share in (("The first load", limit.first_load), ("Each run", limit.each_run)):
        if share is None or share < NEAR:
            continue
        if limit.period == DAY:
            words = f"{run} takes {share:.0%} of the {limit.full:,} {limit.unit} that {kind.name} "
            words += f"includes in a paid licence for {DAY}. Load the tables on several days, or "
            words += "as an application user, for which the tenant has more."
        else:
            words = f"{run} takes {share:.0%} of the {limit.full:,} {limit.unit} that {kind.name} "
            words += "lets one user take in 5 minutes. Beyond them, requests are refused for a "
            words += "while, and the tap waits: lower max_parallel_requests, or load the tables in "
            words += "several runs."
        yield Advice(kind=Kind.LIMIT, tables=(), sentence=words)
