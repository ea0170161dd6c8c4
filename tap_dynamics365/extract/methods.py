"""Replication methods: which reads of a table keep the target up to date.

A method is a generator of reads. It yields them one after the other, and continues when all rows of
a read were sent. An error that ended a read is thrown in, so that it can read in another way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tap_dynamics365.errors import CallLimitError, ServiceError, UnsortedError, is_query_refused
from tap_dynamics365.extract import coverage

if TYPE_CHECKING:
    from collections.abc import Generator

    from tap_dynamics365.extract.bookmark import Bookmark
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.table import Table


def incremental(table: Table, bookmark: Bookmark) -> Generator[TableRead, None, None]:
    """Yield the read of the rows whose replication key has grown.

    All rows are read if the bookmark is not usable. The last read is of the rows without a value of
    the key.

    Args:
        table: The table.
        bookmark: How far it was read.
    """
    coverage.widen(table, bookmark)
    began_at = bookmark.value
    read = table.sorted_read(bookmark.start())
    yield read
    # The service's time is only known after a response.
    if note_future(table, bookmark):
        read = table.sorted_read(bookmark.start())
        yield read
    has_nulls = yield from rows_without_key(table, bookmark, read)
    bookmark.complete(began_at, has_nulls=has_nulls)


def note_future(table: Table, bookmark: Bookmark) -> bool:
    """Drop a bookmark that is in the service's future, and log a warning.

    Args:
        table: The table.
        bookmark: Its bookmark.

    Returns:
        Whether the bookmark was dropped.
    """
    if not bookmark.is_in_future():
        return False
    table.logger.warning(
        "The bookmark of %r is in the service's future (%s), so changes may have been missed. The "
        "table is read in full.",
        table.name,
        bookmark.value,
    )
    bookmark.reset()
    return True


def rows_without_key(
    table: Table, bookmark: Bookmark, read: TableRead
) -> Generator[TableRead, None, bool | None]:
    """Yield a read of the rows without a value of the replication key, unless there are none.

    It is unknown which of these rows are new, so every run reads all of them.

    Args:
        table: The table.
        bookmark: The bookmark of the table.
        read: The read of the rows from the bookmark.

    Returns:
        Whether there are such rows; None if unknown.
    """
    if read.reads_all:
        return read.has_nulls
    condition = table.condition_without_key
    if not bookmark.may_miss_rows or condition is None:
        return False
    part = replace(table.full_read(), condition=condition, without_key=True)
    try:
        yield part
    except ServiceError as error:
        # The data provider of a virtual table may not support the condition. And a read that only
        # checks whether there are such rows must not fail because of the call limit.
        is_question = not (part.has_nulls or table.state.entry.replication_key_nulls)
        if is_query_refused(error, is_virtual=table.spec.is_virtual) or isinstance(
            error, UnsortedError
        ):
            return False
        if isinstance(error, CallLimitError) and is_question:
            return None
        raise
    if bookmark.is_set_by_changes:
        # Such a row has a value once it has changed.
        return False
    if part.has_nulls:
        table.logger.info(
            "Every run sends the rows of %r without a value of %r, because the tap can't detect "
            "whether they have changed.",
            table.name,
            table.spec.replication_key,
        )
    return part.has_nulls
