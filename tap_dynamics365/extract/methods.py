"""Replication methods: which passes over a table keep the target up with it.

A method yields its passes one after the other. When one is at its end, and all its rows were sent,
the method goes on; the error that ended one early is thrown in, for it to try another way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tap_dynamics365.errors import CallLimitError, CatalogError, ServiceError, is_query_refused
from tap_dynamics365.extract.read import Pass
from tap_dynamics365.odata import key_scale as keys
from tap_dynamics365.singer.catalog import DELETED_AT, FULL_TABLE, INCREMENTAL, LOG_BASED

if TYPE_CHECKING:
    from collections.abc import Generator

    from singer_sdk.singerlib import CatalogEntry

    from tap_dynamics365.extract.bookmark import Bookmark
    from tap_dynamics365.singer.table_stream import TableStream


def check(entry: CatalogEntry, method: str) -> None:
    """Raise if a table can't be replicated as the catalog wants it.

    Args:
        entry: What the catalog says of it.
        method: How it is to be replicated.

    Raises:
        CatalogError: The method is unknown, or the replication key is no column that can be one.
    """
    key: Any = entry.replication_key
    wish = f"The catalog wants {entry.tap_stream_id!r} replicated {method}"
    if method not in {FULL_TABLE, INCREMENTAL, LOG_BASED}:
        msg = f"{wish}: the tap knows {INCREMENTAL}, {LOG_BASED} and {FULL_TABLE}."
        raise CatalogError(msg)
    if key is not None and not isinstance(key, str):
        msg = f"{wish} by a replication key that is no name of a column: write it as a text."
        raise CatalogError(msg)
    if method == FULL_TABLE or (method == LOG_BASED and not key):
        return
    columns = entry.schema.to_dict()["properties"]
    able = [name for name in columns if name != DELETED_AT and keys.scale(columns[name])]
    if key not in able:
        flaw = "whose values can't be a bookmark" if key in columns else "which is no column of it"
        by = f"by {key!r}, {flaw}" if key else "by no key"
        names = ", ".join(able) or "none"
        msg = f"{wish} {by}. Columns that can be its replication key: {names}."
        raise CatalogError(msg)


class Method(Protocol):
    """A replication method."""

    def passes(self) -> Generator[Pass, None, None]:
        """Yield the passes of a run."""


class FullTable:
    """All rows at every run.

    Args:
        stream: The table's stream.
    """

    def __init__(self, stream: TableStream) -> None:
        self._stream = stream

    def passes(self) -> Generator[Pass, None, None]:
        """Yield the only pass."""
        self._stream.begin_version()
        yield Pass(self._stream.codec().page)


class Incremental:
    """Rows whose replication key has grown.

    Args:
        stream: The table's stream.
        bookmark: How far it was read.
    """

    def __init__(self, stream: TableStream, bookmark: Bookmark) -> None:
        self._stream = stream
        self._bookmark = bookmark

    def passes(self) -> Generator[Pass, None, None]:
        """Yield the pass from the bookmark on; one over all rows if the bookmark was of no use.

        Last come the rows without a value of the key.
        """
        bookmark = self._bookmark
        began_at = bookmark.value
        read = self._stream.sorted_pass(bookmark.start())
        yield read
        # The service's time is known only now.
        if bookmark.lies_ahead():
            self._stream.logger.warning(
                "The bookmark of %r lies in the service's future (%s), so changes may have been "
                "missed: the table is read anew.",
                self._stream.name,
                bookmark.value,
            )
            bookmark.forget()
            read = self._stream.sorted_pass(bookmark.start())
            yield read
        has_nulls = yield from rows_without_key(self._stream, bookmark, read)
        bookmark.complete(began_at, has_nulls=has_nulls)


def rows_without_key(
    stream: TableStream, bookmark: Bookmark, read: Pass
) -> Generator[Pass, None, bool | None]:
    """Yield a pass over the rows without a value of the replication key, unless there are none.

    Nothing tells which of them are new, so they are all read at each run.

    Args:
        stream: The table's stream.
        bookmark: How far it was read.
        read: The pass over the rows from the bookmark on.

    Returns:
        Whether there are such rows; None if it is not known.
    """
    if read.reads_all:
        return read.has_nulls
    if not bookmark.may_leave_rows_out:
        return False
    part = Pass(stream.codec().page, empty=stream.replication_key)
    try:
        yield part
    except ServiceError as error:
        # The provider of a virtual table may not know the condition; and a limit to the calls is
        # not to be taken up by a mere question.
        is_question = not (part.has_nulls or stream.table_state.entry.replication_key_nulls)
        if is_query_refused(error, is_virtual=bool(stream.entry.is_view)):
            return False
        if isinstance(error, CallLimitError) and is_question:
            return None
        raise
    if part.has_nulls:
        stream.logger.info(
            "Rows of %r without a value of %r are sent at each run: nothing tells whether they "
            "have changed.",
            stream.name,
            stream.replication_key,
        )
    return part.has_nulls
