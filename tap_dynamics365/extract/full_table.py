"""FULL_TABLE: all rows at every run. A read that was interrupted is continued by the next run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.errors import CallLimitError, Failure, ServiceError, UnsortedError
from tap_dynamics365.extract import coverage

if TYPE_CHECKING:
    from collections.abc import Generator

    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.table import Table


class Interrupted(msgspec.Struct, frozen=True):
    """An interrupted read, as kept in the state.

    Attributes:
        order: The columns by whose values the read continues.
        columns: The digest of the selected columns.
        remaining: The ranges of rows that were not sent; see `Range.remaining`.
    """

    order: tuple[str, ...]
    columns: str
    remaining: list[dict[str, Any]]


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
        # Without a keyset, a read can't be continued.
        read = replace(read, is_resumable=read.keyset is not None and not keeps_rows)
        table.at_end = {"full_table": None}
        interrupted = self._interrupted(read)
        if interrupted is not None and table.version.keep():
            table.version.is_outdated = True
            table.logger.info("Continuing the full read of %r that was interrupted.", table.name)
            try:
                yield from self._attempts(replace(read, remaining=interrupted.remaining))
            except ServiceError as error:
                if not self._is_stuck(error):
                    raise
                table.logger.info(
                    "%r is read from its first row, because the interrupted read still fails where "
                    "it ended. %s",
                    table.name,
                    error.message,
                )
            else:
                return
        table.version.begin(full_table=None)
        if keeps_rows:
            table.version.is_outdated = False
        yield from self._attempts(read)

    def _interrupted(self, read: TableRead) -> Interrupted | None:
        """Return the interrupted read that this one continues, if there is one."""
        try:
            found = msgspec.convert(self._table.state.entry.full_table, Interrupted)
        except msgspec.ValidationError:
            return None
        # The key or the selected columns may have changed since.
        same = read.keyset is not None and found.order == read.keyset.columns
        return found if same and found.columns == self._table.spec.columns_digest else None

    def _is_stuck(self, error: ServiceError) -> bool:
        """Tell whether a continued read can't go on, so that its first rows would become stale."""
        is_limit = isinstance(error, CallLimitError)
        return error.failure is Failure.FATAL and not is_limit and not self._table.tally.rows

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
