"""Notes: what a reader of a plan has to know about its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.planning.plan import DAY, Plan, TablePlan, named
from tap_dynamics365.planning.row_counts import Source

if TYPE_CHECKING:
    from collections.abc import Iterator


def as_document(plan: Plan) -> dict[str, Any]:
    """Return a plan with its notes, as `dynamics365 estimate --json` prints it.

    Args:
        plan: The plan.
    """
    return {**msgspec.to_builtins(plan), "notes": [*notes(plan)]}


def notes(plan: Plan) -> Iterator[str]:
    """Yield what the numbers of a plan mean, one or two sentences each.

    Args:
        plan: The plan.
    """
    tables = plan.tables
    yield (
        "Requests of a table, and bytes, are those of the first load, without discovery and "
        "sign-in. Each run sends in addition what has changed since the run before."
    )
    if any(table.source is Source.SNAPSHOT for table in tables):
        yield f"The row counts of {plan.service} are up to a day old."
    if estimated := [table for table in tables if table.source is Source.PARENTS]:
        yield (
            "The number of rows is estimated from the parents, through which they are read: "
            f"{named(estimated)}."
        )
    if unknown := [table for table in tables if table.first_load.rows is None]:
        yield f"The number of rows is unknown, and left out of the sums: {named(unknown)}."
    unsure = [
        table
        for table in tables
        if None in {table.first_load.requests, table.each_run.requests} and table not in unknown
    ]
    if unsure:
        yield f"The number of requests is unknown, and left out of the sums: {named(unsure)}."
    if fewer := [table for table in tables if table.may_be_fewer]:
        yield f"Counted without filter and start date, which leave fewer rows: {named(fewer)}."
    if twice := [table for table in tables if table.is_read_twice and table.first_load.rows]:
        yield (
            "The second run reads these tables as the first one does, because their replication "
            f"key is a number: {named(twice)}."
        )
    if any(limit.period == DAY for limit in plan.limits):
        yield (
            f"The requests in {DAY} are those that {plan.service} includes in a paid licence of a "
            "user. Applications share those of the tenant, which are more."
        )
    if not plan.limits:
        yield (
            f"{plan.service} documents no number of requests that it allows. It refuses requests "
            "for a while when its load is high."
        )
    yield from _measurements(plan)


def _measurements(plan: Plan) -> Iterator[str]:
    if not plan.is_measured:
        yield "Bytes and time are unknown, because no pages were read."
        return
    yield (
        "Bytes and time are estimated from one page of each table, time with up to "
        f"{plan.parallel_requests} requests in parallel. The target may take longer."
    )
    if left := [table for table in plan.tables if not table.is_measured]:
        yield f"Not measured, so that bytes and time are left out of the sums: {named(left)}."
    refused: list[TablePlan] = [table for table in plan.tables if table.error is not None]
    for table in refused:
        yield f"{table.name} can't be read: {table.error}"
