"""Scope of a table: what a change of the scope between two runs means.

Rows that leave the scope are not deleted at the source. So the target must not drop them, and a
bookmark says nothing about rows that were not in the scope of the run that set it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_dynamics365.extract.bookmark import Bookmark
    from tap_dynamics365.extract.table import Table


def keeps_rows(table: Table) -> bool:
    """Tell whether the target may hold rows that are not in the scope of this run.

    The state names the widest scope that was ever read. If the scope of this run is not the wider
    one, a warning is logged.

    Args:
        table: The table.
    """
    scope, state = table.spec.scope, table.state
    if scope is None:
        return False
    before = state.entry.scope
    if before == scope.name:
        return False
    # An interrupted read of another scope can't be continued.
    if scope.contains(before):
        state.change(scope=scope.name, full_table_remaining=None)
        return False
    state.change(full_table_remaining=None)
    table.logger.warning(
        "%r is read for %s, but runs before read it for %s. Rows of these stay in the target, and "
        "so do rows that were deleted. %s To give these rows up, run once without the state.",
        table.name,
        scope.name,
        before,
        scope.advice,
    )
    return True


def widen(table: Table, bookmark: Bookmark) -> None:
    """Drop a bookmark that would hide rows which were not in the scope of the run before.

    Args:
        table: The table.
        bookmark: Its bookmark.
    """
    scope = table.spec.scope
    if scope is None:
        return
    keeps_rows(table)
    before = table.state.entry.replication_key_scope
    if before is not None and before != scope.name and scope.contains(before):
        table.logger.info(
            "%r is read in full, because it is read for %s now, and was for %s.",
            table.name,
            scope.name,
            before,
        )
        bookmark.reset()
    # Last: a run that ends before drops the bookmark again.
    table.state.change(replication_key_scope=scope.name)
