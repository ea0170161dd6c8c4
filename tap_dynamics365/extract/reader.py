"""Table reader: the reads of one table as its replication method asks, with fallbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.errors import (
    CallLimitError,
    Failure,
    ServiceError,
    UnsortedError,
    is_query_refused,
)
from tap_dynamics365.extract.call_limit import CallLimit
from tap_dynamics365.extract.change_tracking import LogBased
from tap_dynamics365.extract.full_table import FullTable
from tap_dynamics365.extract.page_reader import PageReader
from tap_dynamics365.extract.page_size import is_timeout
from tap_dynamics365.extract.read import FULL_TABLE, LOG_BASED
from tap_dynamics365.extract.skipped import Skipped
from tap_dynamics365.extract.state import NOTHING_READ, Entry, TableState
from tap_dynamics365.extract.table import Table
from tap_dynamics365.extract.tally import Outcome
from tap_dynamics365.extract.through_parents import ThroughParents
from tap_dynamics365.extract.unordered import Unordered, sorted_if_possible
from tap_dynamics365.extract.version import TableVersion
from tap_dynamics365.odata import key_scale
from tap_dynamics365.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import requests

    from tap_dynamics365.extract.bookmark import Bookmark
    from tap_dynamics365.extract.page import Page
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.table import TableSpec
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.page import Value
    from tap_dynamics365.settings import Settings

#: Failures with which a table is skipped.
SKIPPED = frozenset({Failure.DENIED, Failure.GONE})

UNREADABLE = (
    "The column %r of %r holds %s, which can't be read as a value of a replication key. Such rows "
    "are sent, but do not move the bookmark."
)
ABSENT = (
    "No row of %r has the column %r, its replication key. There is no bookmark, and the next run "
    "reads the same rows again. Run --discover again, or choose another replication key or "
    "FULL_TABLE."
)
NOT_STAMPED = (
    "All rows of %r are read at every run, because the service does not set %s at each change. "
    "Choose another replication key in the catalog, or FULL_TABLE."
)
UNSORTED = (
    "All rows of %r are read, because the service does not sort them by %s. %s Every run does so "
    "until this changes: choose another replication key in the catalog, or FULL_TABLE."
)

FILTER_CHANGED = (
    "The filter of %r has changed since the run before, so the table is read from its beginning.%s"
)
ROWS_STAY = " Rows in the target that do not fulfil the filter stay there."


class TableReader:
    """Reads one table.

    Args:
        table: The table; kept as an attribute.
        client: The client of the service; kept as an attribute.
        settings: How many rows to ask for with each request, and how many requests to send.
        on_state: Called when the state has changed in a way that must be saved at once.
        on_answer: Called with each answer to a request for rows.
        calls: Limits the number of requests; parts of a table share it.
        skipped: Logs that a table is skipped; all tables of a run share it.

    Attributes:
        read: The read in progress.
        is_skipped: Whether the service does not let the table be read.
        is_cut_short: Whether the read ends before the end of the table, as the settings say.
        metadata_version: The version of the service's data model, if it has changed since the run
            before. The state takes it over once the columns were compared.
    """

    def __init__(  # noqa: PLR0913 - what reading a table depends on
        self,
        table: Table,
        client: ODataClient,
        settings: Settings,
        *,
        on_state: Callable[[], None],
        on_answer: Callable[[requests.Response], None] | None = None,
        calls: CallLimit | None = None,
        skipped: Skipped | None = None,
    ) -> None:
        self.table = table
        self.client = client
        self.read: TableRead | None = None
        self.is_skipped = False
        self.is_cut_short = False
        self.metadata_version: Value = None
        #: Fetches the pages.
        self.pages = PageReader(
            table, client, settings, on_answer, calls or CallLimit(settings.stmt_call_limit)
        )
        #: Whether rows may be read in ranges. A limit to the calls could end the run before a gap
        #: between ranges is filled.
        self.may_be_divided = client.concurrency.maximum > 1 and not settings.stmt_call_limit
        self._on_state = on_state
        self._skipped = skipped or Skipped()
        self._returns_results = settings.returns_results
        # The last value of the replication key that was sent, while the bookmark is held back.
        self._held_back: Value = None
        # Why all rows are read instead of sorted ones.
        self._unsorted: UnsortedError | None = None

    @classmethod
    def without_state(cls, spec: TableSpec, client: ODataClient, settings: Settings) -> TableReader:
        """Make a reader that begins at the first row, and whose state nobody keeps.

        Args:
            spec: What to extract.
            client: The client of the service.
            settings: How many rows to ask for with each request, and how many requests to send.
        """
        state = TableState({}, spec.name)
        version = TableVersion(state, is_used=False, started_at=0, is_divided=spec.is_part)
        table = Table(spec, state, version, settings, client)
        return cls(table, client, settings, on_state=lambda: None)

    @property
    def outcome(self) -> Outcome:
        """How the extraction ended, if nothing failed."""
        if self.is_skipped:
            return Outcome.SKIPPED
        return Outcome.IN_PART if self.is_cut_short else Outcome.DONE

    # What to read.

    def reads(self) -> Generator[TableRead, None, None]:
        """Yield the reads of a run. Each one must be read to its end.

        The error that ended a read may be thrown in, so that another read is tried.
        """
        self._note_filter()
        self.pages.fit_columns()
        plan = self._plan()
        self.read = next(plan, None)
        while self.read is not None:
            # The service does not say how many rows a filter leaves.
            reads_all = self.read.reads_all and not self.read.row_filter
            self.table.tally.begin(reads_all=reads_all)
            try:
                yield self.read
            except ServiceError as failure:
                error = self._as_unsorted(failure)
                if self.pages.adjust_columns(error):
                    continue
                if (
                    isinstance(error, UnsortedError)
                    and self.read.sorted_by
                    and self.table.bookmark is not None
                ):
                    self.read = self._unsorted_read(self.table.bookmark, error)
                    continue
                if (
                    error.failure is Failure.NEEDS_PARENT
                    and not self.read.through
                    and not self.table.rows_sent
                    and self.table.spec.parents()
                ):
                    plan = self._through_parents()
                    self.read = next(plan, None)
                    continue
                if isinstance(error, CallLimitError) and self.table.bookmark is not None:
                    self.table.bookmark.stop()
                    if self._unsorted is not None and not self.read.understood:
                        # The limit ended the fallback before it began.
                        error = self._unsorted
                try:
                    self.read = plan.throw(error)
                except StopIteration:
                    return
            else:
                self._end_read(self.read)
                self.read = next(plan, None)

    def _as_unsorted(self, error: ServiceError) -> ServiceError:
        """Take a first load of LOG_BASED that can't be sorted in time for one without an order."""
        read, is_load = self.read, self.table.spec.method == LOG_BASED
        is_sorted = read is not None and read.sorted_by is not None and not read.understood
        if is_load and is_sorted and is_timeout(error):
            return UnsortedError(error.message, is_seen=False)
        return error

    def _note_filter(self) -> None:
        """Note the filter in the state. If it has changed, read the table from its first row.

        The rows before the bookmark were read with the filter of the run before.
        """
        digest, entry = self.table.spec.filter_digest, self.table.state.entry
        if digest == entry.filter_digest:
            return
        if entry != Entry():
            stay = digest is not None and not self.table.version.is_used
            self.table.logger.warning(FILTER_CHANGED, self.table.name, ROWS_STAY if stay else "")
        self.table.state.change(**NOTHING_READ, filter_digest=digest)

    def _plan(self) -> Generator[TableRead, None, None]:
        """Choose how the table is replicated, given the state of the run before."""
        table = self.table
        if table.spec.method == LOG_BASED:
            return LogBased(table, self.client).reads()
        # A set of a custom API may have the name of a bound set of a standard API.
        if table.spec.is_bound and table.spec.parents():
            return self._through_parents()
        # Not before: to make the bookmark drops one that is of no use.
        if table.spec.method == FULL_TABLE or (bookmark := table.bookmark) is None:
            return FullTable(table).reads()
        # Records carry no version, and deletes are not reported.
        adopted = bookmark.from_delta_token(table.state.entry.delta_token)
        table.state.change(version=None, delta_token=None, full_table=None, **adopted)
        if not table.is_sorted:
            return Unordered(table, bookmark).reads()
        return sorted_if_possible(table, bookmark)

    def _through_parents(self) -> Generator[TableRead, None, None]:
        """Replicate the table through the rows of its parents."""
        table, bookmark = self.table, None
        if table.spec.method != FULL_TABLE:
            key = table.spec.replication_key
            if key == table.spec.changed_at or table.is_stamped:
                bookmark = table.bookmark
            else:
                table.notices.warn(NOT_STAMPED, table.name, key)
        return ThroughParents(table, bookmark, lambda: self.pages.unread_parents).reads()

    def fallback(
        self, reads: Generator[TableRead, None, None], error: Exception
    ) -> TableRead | None:
        """Find another way to read a table after a read has failed.

        Args:
            reads: The generator that `reads` returned.
            error: The failure.

        Returns:
            The next read; None if the table is skipped, or was read as far as the settings allow.

        Raises:
            ServiceError: There is no other way.
        """
        try:
            return reads.throw(error)
        except StopIteration:
            return None
        except ServiceError as final:
            if self.is_refused(final) or self._is_enough(final):
                return None
            raise self._explained(final) from final

    def _explained(self, error: ServiceError) -> ServiceError:
        """Mention the filter in a failure that it may have caused."""
        spec = self.table.spec
        if not spec.row_filter or not is_query_refused(error, is_virtual=spec.is_virtual):
            return error
        msg = f"{error.message} The query contains the filter of {self.table.name!r}: check it."
        return ServiceError(msg, error.failure, response=error.response)

    def is_refused(self, error: ServiceError) -> bool:
        """Tell whether the service does not let the table be read, and warn if so.

        Args:
            error: The refusal.
        """
        # A part of a table would be taken for the whole table.
        if error.failure not in SKIPPED or self.table.rows_sent:
            return False
        self.is_skipped = True
        self._skipped.note(self.table, error)
        return True

    def _is_enough(self, error: ServiceError) -> bool:
        """Tell whether all was read that the settings allow, and warn if so."""
        if not (isinstance(error, CallLimitError) and self._returns_results):
            return False
        self.is_cut_short = True
        self.table.logger.warning("%r was read in part. %s", self.table.name, error.message)
        return True

    def _unsorted_read(self, bookmark: Bookmark, error: UnsortedError) -> TableRead:
        """Make a read of all rows, in any order, instead of a sorted one.

        A bookmark from rows out of order is not valid. There is none until all rows were sent; then
        the one from before the run is restored.
        """
        self._held_back, self._unsorted = None, error
        if self.read is not None:
            self.read.mark_replaced()
        if error.is_seen:
            bookmark.invalidate()
            self._on_state()
            self._warn_unsorted()
        return self.table.read()

    def _warn_unsorted(self) -> None:
        if self._unsorted is not None:
            table = self.table
            table.notices.warn(
                UNSORTED, table.name, table.spec.replication_key, self._unsorted.message
            )

    def _end_read(self, read: TableRead) -> None:
        """Move the bookmark to where the end of a read allows it."""
        self._note_metadata_version(read.metadata_version)
        table = self.table
        if table.bookmark is None:
            return
        if read.is_key_absent:
            table.notices.warn(ABSENT, table.name, table.spec.replication_key)
        if isinstance(self._held_back, (str, int)):
            table.bookmark.advance(self._held_back)
        if self._unsorted is not None and self._unsorted.is_seen:
            table.bookmark.restore()
        self._warn_unsorted()
        self._held_back = self._unsorted = None

    def _note_metadata_version(self, version: Value) -> None:
        """Note the version of the data model, or that it has changed."""
        if version is None:
            return
        if self.table.state.entry.metadata_version in {None, version}:
            self.table.state.change(metadata_version=version)
        else:
            self.metadata_version = version

    # What was sent.

    def note_position(self, page: Page[Any]) -> None:
        """Note in the state how far a full read has come, after a page was sent.

        Args:
            page: The page.
        """
        read = self.read
        if read is None or not read.is_resumable or page.remaining is None:
            return
        order = read.keyset.columns if read.keyset is not None else ()
        columns = self.table.spec.columns_digest
        progress = {**read.kept, "order": order, "columns": columns, "remaining": page.remaining}
        self.table.state.change(**{read.kept_as: progress})

    def check_order(self, page: Page[Any]) -> None:
        """Check the replication key of each row of a page before the page is sent.

        Args:
            page: The next page.

        Raises:
            UnsortedError: Rows are not in the order that was asked for.
        """
        if self.read is None or not self.read.sorted_by:
            return
        self.read.check_order(page)
        for piece in page.pieces:
            if piece.keys.unreadable is not None:
                unreadable = printable(piece.keys.unreadable)
                self.table.notices.warn(
                    UNREADABLE, self.read.sorted_by, self.table.name, unreadable
                )
                return

    def advance(self, value: object) -> None:
        """Move the bookmark to a row that was sent.

        Args:
            value: The row's value of the replication key. A value that can't be read as one does
                not move the bookmark.
        """
        table = self.table
        if self.read is None or table.bookmark is None or table.scale is None:
            return
        if not isinstance(value, (str, int)) or key_scale.position(table.scale, value) is None:
            return
        if self.read.holds_back:
            self._held_back = value
        else:
            self.read.start = value
            table.bookmark.advance(value)
