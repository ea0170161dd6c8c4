"""FULL_TABLE: all rows at every run. A read that was interrupted is continued by the next run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.errors import CallLimitError, Failure, ServiceError, UnsortedError
from tap_dynamics365.extract import coverage

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.state import Entry
    from tap_dynamics365.extract.table import Table

# Failures after which a continued read begins again: where it ended, it can't go on.
STUCK = {
    Failure.ADDRESS_TOO_LONG,
    Failure.FATAL,
    Failure.GONE,
    Failure.LINK_LOST,
    Failure.NOT_UNDERSTOOD,
    Failure.UNKNOWN_COLUMN,
}


class Interrupted(msgspec.Struct, frozen=True):
    """An interrupted read, as kept in the state.

    Attributes:
        order: The columns by whose values the read continues; empty if it continues by links.
        columns: The digest of the selected columns.
        remaining: The ranges of rows that were not sent; see `Range.remaining`. Empty if all rows
            of a part were sent, and other parts are left.
        incomplete: Whether rows of a part could not be read.
    """

    order: tuple[str, ...]
    columns: str
    remaining: list[dict[str, Any]]
    incomplete: bool = False


class FullTable:
    """All rows at every run.

    Args:
        table: The table.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def reads(self) -> Generator[TableRead, None, None]:
        """Yield the read of all rows, or of those that an interrupted read has left."""
        table = self._table
        keeps_rows = coverage.keeps_rows(table)
        read = table.full_read()
        may_continue = read.keyset is not None or (table.keeps_links and bool(table.spec.row_key))
        read = replace(read, kept_as="full_table" if may_continue and not keeps_rows else "")
        table.at_end = {"full_table": None}
        if begin_version(table, order_of(read)):
            interrupted = usable(table, order_of(read), table.state.entry)
            if interrupted is not None and (yield from self._rest(read, interrupted)):
                return
        if keeps_rows:
            table.version.is_outdated = False
        try:
            yield from self._attempts(read)
        except ServiceError as error:
            if error.failure is not Failure.LINK_LOST:
                raise
            table.logger.info("%r is read from its first row again. %s", table.name, error.message)
            yield from self._attempts(read)
        finish_part(table, order_of(read))

    def _rest(self, read: TableRead, interrupted: Interrupted) -> Generator[TableRead, None, bool]:
        """Yield the read of the rows that an interrupted read has left.

        Returns:
            Whether they were read.
        """
        table = self._table
        if interrupted.remaining:
            table.logger.info("Continuing the full read of %r that was interrupted.", table.name)
        try:
            yield from self._attempts(replace(read, remaining=interrupted.remaining))
        except ServiceError as error:
            if not self._is_stuck(error):
                raise
            table.logger.info(
                "%r is read from its first row, because the interrupted read still fails where it "
                "ended. %s",
                table.name,
                error.message,
            )
            table.version.restart()
            return False
        finish_part(table, order_of(read))
        return True

    def _is_stuck(self, error: ServiceError) -> bool:
        """Tell whether a continued read can't go on, so that its first rows would become stale."""
        is_limit = isinstance(error, CallLimitError)
        return error.failure in STUCK and not is_limit and not self._table.rows_sent

    def _attempts(self, read: TableRead) -> Generator[TableRead, None, None]:
        """Yield a sorted read, and others if the service refuses the order."""
        orders = (read.order, read.keyset.columns if read.keyset is not None else read.order)
        refusal = None
        for order in dict.fromkeys(orders):
            attempt = replace(
                read, order=order, understood=set(), version=self._table.version.number
            )
            try:
                yield attempt
            except UnsortedError as error:
                refusal = error
            else:
                break
        else:
            attempt = self._table.read()
            yield attempt
        if attempt.is_by_position:
            self._warn_of_position(read, refusal)

    def _warn_of_position(self, read: TableRead, refusal: UnsortedError | None) -> None:
        """Warn that rows may be missing, and leave deleted rows in the target.

        Without a key, the target can't tell rows apart: it would keep all rows of all runs.
        """
        table = self._table
        if not table.spec.row_key:
            why = "it has no key"
        elif read.keyset is None:
            why = "no column of its key can be compared"
        elif refusal is not None:
            why = f"the service does not sort it ({refusal.message.rstrip('.')})"
        else:
            why = "the service refuses to compare its key"
        keeps = bool(table.spec.row_key) and table.version.is_used
        table.logger.warning(
            "%r was read by position, because %s. Rows may be missing if others were deleted "
            "meanwhile%s.",
            table.name,
            why,
            ", so deleted rows stay in the target" if keeps else "",
        )
        if keeps:
            table.version.is_outdated = False


def order_of(read: TableRead) -> tuple[str, ...]:
    """Return the columns by whose values a read continues; empty if it continues by links.

    Args:
        read: The read.
    """
    return read.keyset.columns if read.keyset is not None else ()


def usable(table: Table, order: Sequence[str], entry: Entry) -> Interrupted | None:
    """Return an interrupted read that can be continued, if there is one.

    Args:
        table: The table.
        order: The columns by whose values reading continues now. They may have changed since, and
            so may the selected columns.
        entry: The entry of the table in the state, or of one of its parts.
    """
    if not (order or table.spec.row_key):
        # The target would have rows twice that were sent before the interruption.
        return None
    try:
        found = msgspec.convert(entry.full_table, Interrupted)
    except msgspec.ValidationError:
        return None
    spec = table.spec
    same = (
        found.order == tuple(order)
        and found.columns == spec.columns_digest
        and entry.filter_digest == spec.filter_digest
    )
    return found if same and can_be_continued(table, found.remaining, order) else None


def can_be_continued(
    table: Table, remaining: Sequence[Mapping[str, Any]], order: Sequence[str]
) -> bool:
    """Tell whether what an interrupted read has left can be read.

    Args:
        table: The table.
        remaining: The ranges of rows that were not sent.
        order: The columns by whose values reading continues.
    """
    for part in remaining:
        values, link = part.get("after"), part.get("link")
        if values is not None and (not isinstance(values, list) or len(values) != len(order)):
            return False
        if link is not None and not (isinstance(link, str) and table.leads_here(link)):
            return False
    return True


def begin_version(table: Table, order: Sequence[str]) -> bool:
    """Continue the version of an interrupted run, or begin a new one.

    Args:
        table: The table. The first of its parts decides for all.
        order: The columns by whose values reading continues.

    Returns:
        Whether the version is continued.
    """
    return table.version.begin_run(lambda entry: usable(table, order, entry) is not None)


def finish_part(table: Table, order: Sequence[str]) -> None:
    """Note that all rows of a part were sent, until those of the other parts were, too.

    Args:
        table: The part of the table.
        order: The columns by whose values reading continues.
    """
    if table.spec.is_part:
        progress = {"order": order, "columns": table.spec.columns_digest, "remaining": []}
        incomplete = {"incomplete": True} if table.is_incomplete else {}
        table.state.change(full_table={**progress, **incomplete})
