"""Coverage of a table: what a change of the coverage between two runs means.

Rows that leave the coverage are not deleted at the source. So the target must not drop them, and a
bookmark says nothing about rows that were not in the coverage of the run that set it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_dynamics365.extract.bookmark import Bookmark
    from tap_dynamics365.extract.table import Table


def keeps_rows(table: Table) -> bool:
    """Tell whether the target may hold rows that this run does not read.

    The state names the widest coverage that was ever read. If that of this run does not contain it,
    a warning is logged.

    Args:
        table: The table.
    """
    coverage, state = table.spec.coverage, table.state
    before = state.entry.coverage
    if coverage is None or before == coverage.name:
        return False
    # An interrupted read with another coverage can't be continued.
    if coverage.contains(before):
        state.change(coverage=coverage.name, full_table=None)
        return False
    state.change(full_table=None)
    table.logger.warning(
        "%r is read for %s only, but runs before read more. Those rows stay in the target, and so "
        "do rows that were deleted. %s To give those rows up, run once without the state.",
        table.name,
        coverage.words,
        coverage.advice,
    )
    return True


def widen(table: Table, bookmark: Bookmark) -> None:
    """Drop a bookmark that would hide rows which the run that set it did not read.

    Args:
        table: The table.
        bookmark: Its bookmark.
    """
    coverage = table.spec.coverage
    if coverage is None:
        return
    keeps_rows(table)
    before = table.state.entry.replication_key_coverage
    if before is not None and before != coverage.name and coverage.contains(before):
        table.logger.info(
            "%r is read in full, because it is read for %s now, and was not before.",
            table.name,
            coverage.words,
        )
        bookmark.reset()
    # Last: a run that ends before drops the bookmark again.
    table.state.change(replication_key_coverage=coverage.name)
