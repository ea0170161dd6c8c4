"""Change tracking: replication of the changes that the service tracks, with deletes.

Microsoft Learn, "Use change tracking to synchronize data with external systems":
https://learn.microsoft.com/power-apps/developer/data-platform/use-change-tracking-synchronize-data-external-systems
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.errors import Failure, ServiceError
from tap_dynamics365.extract.full_table import FullTable
from tap_dynamics365.extract.methods import incremental, rows_without_key
from tap_dynamics365.extract.read import FULL_TABLE, INCREMENTAL
from tap_dynamics365.extract.state import NO_BOOKMARK, NOTHING_READ

if TYPE_CHECKING:
    from collections.abc import Generator

    from tap_dynamics365.extract.bookmark import Bookmark
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.table import Table
    from tap_dynamics365.odata.client import ODataClient

# Refusals of a tracked read. The table is then read by another method. Change tracking needs the
# right to read all rows of a table.
NOT_TRACKED = {Failure.NOT_TRACKED, Failure.DENIED, Failure.NOT_UNDERSTOOD}
# Refusals of a read of changes. If the query is not understood, something else is wrong. Then the
# token is kept, so that no changes are lost.
NOT_TRACKED_ANY_MORE = NOT_TRACKED - {Failure.NOT_UNDERSTOOD}


class _ExpiredError(Exception):
    """The delta token is no longer valid."""


class _NotTrackedError(Exception):
    """The service does not track changes of the table, or the caller may not read them."""


class LogBased:
    """Reads what has changed since a delta token, with deletes.

    Args:
        table: The table.
        client: The client of the service.
    """

    def __init__(self, table: Table, client: ODataClient) -> None:
        self._table = table
        self._client = client
        self._bookmark = table.bookmark
        self._state = table.state

    def reads(self) -> Generator[TableRead, None, None]:
        """Yield the reads of a run; those of another method if change tracking is refused."""
        row_key = self._table.spec.row_key
        if len(row_key) != 1:
            yield from self._fallback_reads(
                "It has no key of one column, which change tracking needs to report deletes."
            )
            return
        if row_key != self._table.spec.stream_key:
            yield from self._fallback_reads(
                f"Deletes are reported by {row_key[0]!r}, which is not the key that the catalog "
                "chose."
            )
            return
        entry = self._state.entry
        has_version = self._table.version.keep()
        is_under_way = entry.replication_key is not None
        # If a first load is in progress, the version was not activated yet.
        self._table.version.is_outdated = is_under_way or entry.delta_token is None
        if not has_version or (is_under_way and self._bookmark is None):
            # The target would drop its rows without a version. And a first load can't continue by a
            # replication key that the catalog no longer has.
            if not has_version and (is_under_way or entry.delta_token is not None):
                self._table.logger.warning(
                    "%r is read in full, once: its rows in the target carry no table version, so "
                    "deleted rows could not be found. To continue from the state instead, set "
                    "emit_activate_version_messages to false.",
                    self._table.name,
                )
            self._reset()
        try:
            yield from self._reads_with_resync()
        except _NotTrackedError as refusal:
            yield from self._fallback_reads(str(refusal))

    def _fallback_reads(self, reason: str) -> Generator[TableRead, None, None]:
        """Yield the reads of another method, and log a warning if they succeed."""
        yield from self._fallback()
        self._table.logger.warning(
            "%r was read %s, without deletes, because its changes are not tracked. %s",
            self._table.name,
            FULL_TABLE if self._bookmark is None else INCREMENTAL,
            reason,
        )

    def _fallback(self) -> Generator[TableRead, None, None]:
        if self._bookmark is None:
            return FullTable(self._table).reads()
        # The token stays: if changes are tracked again later, they are read from there.
        self._state.change(**self._bookmark.from_delta_token(self._state.entry.delta_token))
        return incremental(self._table, self._bookmark)

    def _reset(self) -> None:
        """Begin a full read as a new table version."""
        self._table.version.begin(**NOTHING_READ)

    def _reads_with_resync(self) -> Generator[TableRead, None, None]:
        try:
            yield from self._load_and_changes()
        except _ExpiredError as expired:
            self._table.logger.warning(
                "The service no longer has the changes of %r since the last run. The table is read "
                "in full%s. %s",
                self._table.name,
                ""
                if self._table.version.is_used
                else "; without emit_activate_version_messages, the target keeps deleted rows",
                expired,
            )
            self._reset()
            try:
                yield from self._load_and_changes()
            except _ExpiredError as again:
                # The load took longer than a token is valid.
                self._reset()
                raise ServiceError(str(again)) from again

    def _load_and_changes(self) -> Generator[TableRead, None, None]:
        if self._state.entry.delta_token is None and (yield from self._begin_load()):
            return
        if self._bookmark is not None and self._state.entry.replication_key is not None:
            yield from self._load(self._bookmark)
        if (token := self._state.entry.delta_token) is not None:
            yield from self._changes(token)

    def _begin_load(self) -> Generator[TableRead, None, bool]:
        """Read a small table, or get a delta token for a large table before its rows are read.

        Tracked reads don't support `$filter` and `$orderby`, so they can neither be resumed nor be
        divided into ranges. For a large table, a tracked read of the ids gets the token first. Then
        the rows are read sorted and untracked. Whatever changes during that read is among the
        changes since the token.

        Returns:
            Whether the whole table was read.
        """
        bookmark = self._bookmark
        is_begun = self._state.entry.replication_key is not None
        has_new_version = False
        if bookmark is None or not (is_begun or bookmark.start() is not None):
            self._table.version.begin()
            sent = self._table.rows_sent
            if (yield from self._whole()):
                return True
            # Rows that were sent may be deleted before the token is issued, and would stay.
            has_new_version = sent == self._table.rows_sent
        token = yield from self._token()
        if bookmark is None:
            if not has_new_version:
                self._table.version.begin()
            yield self._table.read()
            self._set_next_token(token)
            return True
        # The key means that the load is in progress, so that the next run continues it.
        # Rows without a value of the key that were added since an INCREMENTAL run are not among the
        # changes since the token, so they are read once.
        key = self._table.spec.replication_key
        under_way = {"replication_key": key, "replication_key_nulls": None}
        versions = self._table.version.is_used
        if token is not None and versions and not has_new_version:
            self._table.version.begin(delta_token=token, **NO_BOOKMARK | under_way)
        elif token is not None:
            self._state.change(delta_token=token, **under_way)
        else:
            self._warn_of_no_link()
            self._state.change(**under_way)
        return False

    def _whole(self) -> Generator[TableRead, None, bool]:
        """Read a table together with its delta token; return whether both were read.

        A table with more than one page is read sorted instead, if it can be.
        """
        if self._needs_separate_token():
            return False
        whole = self._table.read(tracked=True, single=self._bookmark is not None)
        yield from self._tracked(whole)
        if not whole.is_whole or self._is_link_missing(whole):
            return False
        self._set_next_token(whole.delta_token)
        return True

    def _token(self, since: str | None = None) -> Generator[TableRead, None, str | None]:
        """Get a delta token with a read of the ids, which have no annotations."""
        ids = self._table.read(tracked=since is None, since=since, ids_only=True)
        yield from self._tracked(ids)
        return ids.delta_token

    def _needs_separate_token(self) -> bool:
        """Tell whether the service sends no delta link when annotations are requested."""
        return bool(self._table.spec.annotations) and not self._client.links_beside_annotations

    def _is_link_missing(self, part: TableRead) -> bool:
        """Tell whether annotations may be why a delta link is missing; log a warning once."""
        if part.delta_token is not None or not self._table.spec.annotations:
            return False
        service = self._client
        if service.links_beside_annotations:
            service.links_beside_annotations = False
            self._table.logger.warning(
                "The service gave no delta link together with labels and names (v8.2 is known to "
                "do so). From now on, the tap requests the link separately, which takes more "
                "requests."
            )
        return True

    def _load(self, bookmark: Bookmark) -> Generator[TableRead, None, None]:
        """Read the rows from the bookmark."""
        if self._state.entry.delta_token is None:
            yield from incremental(self._table, bookmark)
            return
        rows = self._table.sorted_read(bookmark.start())
        yield rows
        yield from rows_without_key(self._table, bookmark, rows)

    def _changes(self, token: str) -> Generator[TableRead, None, None]:
        if not self._needs_separate_token():
            changes = self._table.read(since=token)
            yield from self._tracked(changes)
            if not self._is_link_missing(changes):
                self._set_next_token(changes.delta_token)
                return
        # Before the rows: what changes in between is read again by the next run.
        following = yield from self._token(since=token)
        yield from self._tracked(self._table.read(since=token))
        self._set_next_token(following)

    def _set_next_token(self, token: str | None) -> None:
        """Let the next run continue from a delta token, once this run is complete."""
        if token is None:
            self._warn_of_no_link()
            self._table.at_end = NO_BOOKMARK
        else:
            self._table.at_end = {**NO_BOOKMARK, "delta_token": token}

    def _warn_of_no_link(self) -> None:
        self._table.logger.warning(
            "The service gave no delta link after the last page of %r. The next run begins where "
            "this one began.",
            self._table.name,
        )

    @staticmethod
    def _tracked(part: TableRead) -> Generator[TableRead, None, None]:
        """Yield a read, and translate refusals of change tracking."""
        try:
            yield part
        except ServiceError as error:
            if error.failure is Failure.TOKEN_EXPIRED:
                raise _ExpiredError(error.message) from error
            if error.failure in (NOT_TRACKED_ANY_MORE if part.since else NOT_TRACKED):
                raise _NotTrackedError(error.message) from error
            raise
