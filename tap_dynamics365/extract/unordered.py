"""INCREMENTAL in any order: for tables that the service can't sort by their replication key.

To sort a large table by a column without an index takes longer than services allow. A filter on
the column does not: rows come in the order in which they are stored. Then the last row says nothing
about the rows that are left, so the bookmark moves at the end, to the time at which the read began.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.errors import Failure, ServiceError
from tap_dynamics365.extract import coverage
from tap_dynamics365.extract.full_table import STUCK, can_be_continued, order_of
from tap_dynamics365.extract.methods import incremental, note_future, rows_without_key
from tap_dynamics365.extract.page_size import is_timeout
from tap_dynamics365.odata.key_scale import position

if TYPE_CHECKING:
    from collections.abc import Generator

    from tap_dynamics365.extract.bookmark import Bookmark
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.table import Table


class Window(msgspec.Struct, frozen=True):
    """An interrupted read of changed rows, as kept in the state.

    Attributes:
        key: The replication key.
        start: The smallest value of the key that is read; None for all rows.
        until: The bookmark at the end of the read.
        order: The columns by whose values the read continues; empty if it continues by links.
        columns: The digest of the selected columns.
        remaining: The ranges of rows that were not sent; see `Range.remaining`.
    """

    key: str
    start: str | int | None
    until: str | int
    order: tuple[str, ...]
    columns: str
    remaining: list[dict[str, Any]]


def sorted_if_possible(table: Table, bookmark: Bookmark) -> Generator[TableRead, None, None]:
    """Yield the reads of sorted rows; of rows in any order once sorting has taken too long.

    Args:
        table: The table.
        bookmark: How far it was read.
    """
    key = table.spec.replication_key
    is_new = table.state.entry.sorting_timed_out != key or not table.is_stamped
    if is_new and not (yield from _timed_out(table, bookmark)):
        return
    table.logger.log(
        logging.WARNING if is_new else logging.INFO,
        "%r is read in any order, because the service takes too long to sort it by %s: an "
        "administrator could add an index. Its bookmark moves at the end of a run.",
        table.name,
        key,
    )
    # The mark is set if this succeeds. Otherwise, the service did not answer at all.
    yield from Unordered(table, bookmark, sorting_timed_out=key).reads()


def _timed_out(table: Table, bookmark: Bookmark) -> Generator[TableRead, None, bool]:
    """Yield the reads of sorted rows.

    Returns:
        Whether sorting took too long, so that rows were not read.
    """
    reads = incremental(table, bookmark)
    read = next(reads, None)
    while read is not None:
        try:
            yield read
        except ServiceError as error:
            # Not after a sorted page: then something else takes its time.
            if table.is_stamped and is_timeout(error) and not read.understood:
                table.logger.info("%s", error.message)
                return True
            try:
                read = reads.throw(error)
            except StopIteration:
                return False
        else:
            read = next(reads, None)
    return False


class Unordered:
    """Rows whose replication key has grown, in any order.

    Args:
        table: The table.
        bookmark: How far it was read.
        **values: What to change in the state once rows were read in any order.
    """

    def __init__(self, table: Table, bookmark: Bookmark, **values: Any) -> None:
        self._table = table
        self._bookmark = bookmark
        self._values = values
        # Where the read begins, and the bookmark at its end.
        self._start: str | int | None = None
        self._until: str | int = ""

    def reads(self) -> Generator[TableRead, None, None]:
        """Yield the read from the bookmark, and of the rows without a value of the key."""
        table, bookmark = self._table, self._bookmark
        coverage.widen(table, bookmark)
        note_future(table, bookmark)
        read = self._begun() or self._new()
        try:
            yield read
        except ServiceError as error:
            if error.failure is Failure.LINK_LOST or self._is_stuck(read, error):
                table.logger.info(
                    "%r is read from its bookmark again. %s", table.name, error.message
                )
                read = self._new()
            elif error.failure is Failure.NOT_UNDERSTOOD and read.condition is not None:
                table.logger.warning(
                    "All rows of %r are read at every run, because the service can't select those "
                    "that have changed. %s",
                    table.name,
                    error.message,
                )
                read = self._new(reads_all=True)
            else:
                raise
            yield read
        table.state.change(**self._values)
        if self._start is None:
            # All rows were read. Whether some have no value is unknown, unless a change gives it.
            has_nulls = False if bookmark.is_set_by_changes else None
        else:
            has_nulls = yield from rows_without_key(table, bookmark, read)
        bookmark.complete_at(self._until, has_nulls=has_nulls)

    def _is_stuck(self, read: TableRead, error: ServiceError) -> bool:
        """Tell whether a continued read can't go on."""
        return read.remaining is not None and error.failure in STUCK and not self._table.rows_sent

    def _begun(self) -> TableRead | None:
        """Return the rest of the read that the run before has begun, if there is one."""
        try:
            window = msgspec.convert(self._table.state.entry.window, Window)
        except msgspec.ValidationError:
            return None
        read = self._read(window.start)
        found = (window.key, window.order, window.columns)
        spec = self._table.spec
        if spec.scale is None or position(spec.scale, window.until) is None:
            return None
        same = found == (spec.replication_key, order_of(read), spec.columns_digest)
        if not same or not can_be_continued(self._table, window.remaining, window.order):
            return None
        self._table.logger.info("Continuing the read of %r that was interrupted.", self._table.name)
        return self._kept(replace(read, remaining=window.remaining), window.start, window.until)

    def _new(self, *, reads_all: bool = False) -> TableRead:
        table, bookmark = self._table, self._bookmark
        table.state.change(window=None)
        start = None if reads_all else bookmark.start()
        until = bookmark.before_now(table.late_seconds)
        return self._kept(self._read(start), start, until)

    def _read(self, start: str | int | None) -> TableRead:
        table = self._table
        condition = None if start is None else f"{table.spec.replication_key} ge {start}"
        return replace(table.full_read(), condition=condition)

    def _kept(self, read: TableRead, start: str | int | None, until: str | int) -> TableRead:
        """Let the state note how far a read has come, if it can be continued."""
        self._start, self._until = start, until
        if read.keyset is None and not self._table.keeps_links:
            return read
        kept = {"key": self._table.spec.replication_key, "start": start, "until": until}
        return replace(read, kept_as="window", kept=kept)
