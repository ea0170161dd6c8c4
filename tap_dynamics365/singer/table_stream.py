"""A table as a Singer stream."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import requests
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.streams.rest import HTTPRequest, RESTStream
from typing_extensions import override

from tap_dynamics365.errors import (
    CallLimitError,
    CatalogError,
    Failure,
    ServiceError,
    UnsortedError,
)
from tap_dynamics365.extract import order
from tap_dynamics365.extract.bookmark import Bookmark
from tap_dynamics365.extract.call_limit import CallLimit
from tap_dynamics365.extract.change_tracking import LogBased
from tap_dynamics365.extract.columns import Columns
from tap_dynamics365.extract.methods import FullTable, Incremental, check
from tap_dynamics365.extract.notices import Notices
from tap_dynamics365.extract.read import Pass
from tap_dynamics365.http.response import SAFE_URL
from tap_dynamics365.odata import key_scale as keys
from tap_dynamics365.odata.page import split
from tap_dynamics365.odata.spelling import Spelling
from tap_dynamics365.progress.tally import Tally
from tap_dynamics365.redaction import printable
from tap_dynamics365.singer import deletions, name_columns, stream_key
from tap_dynamics365.singer.catalog import DELETED_AT, FULL_TABLE, LOG_BASED
from tap_dynamics365.singer.encoder import Codec
from tap_dynamics365.singer.record_stream import RecordStream

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import CatalogEntry, MetadataMapping, RecordMessage
    from singer_sdk.tap_base import Tap

    from tap_dynamics365.auth import Authenticator
    from tap_dynamics365.extract.methods import Method
    from tap_dynamics365.extract.page import Page, Value
    from tap_dynamics365.odata.client import Service
    from tap_dynamics365.odata.key_scale import Scale
    from tap_dynamics365.odata.page import RawPage
    from tap_dynamics365.settings import Settings
    from tap_dynamics365.singer.state_writer import PacedStateWriter

REPAIRED = "Rows of %r hold values that can't be passed on as the service wrote them: %s."

UNREAD = (
    "The column %r of %r holds %s, which can't be read as a value of a replication key: such rows "
    "are sent, but no bookmark is taken from them."
)
# Where the root of any version of the service is.
ROOT = re.compile(r"/v\d+(?:\.\d+)?/$")
ABSENT = (
    "No row of %r has the column %r, its replication key: no bookmark can be taken, and the same "
    "rows are read again at the next run. Make the catalog anew with --discover, or choose another "
    "replication key, or FULL_TABLE."
)
UNSORTED = (
    "All rows of %r are read, for they can't be had in the order of %s. %s As long as it stays so, "
    "that is done at every run: choose another replication key in the catalog, or FULL_TABLE."
)


class TableStream(RecordStream, RESTStream[str | None]):
    """The rows of one table, as its replication method has them read.

    Args:
        tap: The tap that the stream belongs to.
        entry: What the catalog says of the table.
        service: Where the rows are.
        states: What writes the state.
        settings: How many rows to ask for with each request; where to begin.
    """

    # The service answers JSON in the types of the schema, and only the columns asked for.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    #: The version of the service's definitions, if they have changed since the run before, those
    #: of this table perhaps; the state is to have it once the columns were compared.
    new_definitions: Value = None

    def __init__(
        self,
        tap: Tap,
        entry: CatalogEntry,
        service: Service,
        states: PacedStateWriter,
        settings: Settings,
    ) -> None:
        # The properties that the SDK asks for while it is set up need these.
        self.entry = entry
        self.states = states
        self.service = service
        self.settings = settings
        #: How far the reading is.
        self.tally = Tally(entry.tap_stream_id)
        #: The pass that is under way.
        self.current: Pass | None = None
        # The replication key of the last row that was sent, while no bookmark may be taken of it.
        self._held_back: Value = None
        # Why all rows are read in place of those in its order.
        self._unsorted: UnsortedError | None = None
        self._codecs: dict[tuple[str | None, int | None], Codec] = {}
        if not entry.table:
            msg = (
                f"The catalog entry {entry.tap_stream_id!r} has no table_name: make the catalog "
                "anew with --discover."
            )
            raise CatalogError(msg)
        super().__init__(
            tap, name=entry.tap_stream_id, schema=entry.schema.to_dict(), path=entry.table
        )
        self._notices = Notices(self.logger)
        self.primary_keys = entry.key_properties or ()
        #: By which columns rows are sorted and told apart; see `stream_key`.
        self.row_key = stream_key.of_rows(entry)
        self.replication_key = entry.replication_key
        self.forced_replication_method = entry.replication_method
        check(entry, self.replication_method)
        self._calls = CallLimit(settings.stmt_call_limit)
        #: What rows call the columns that are annotations of others.
        self.annotated = name_columns.annotated(entry)
        wanted = [
            self.annotated.get(name, name)
            for name in self.schema["properties"]
            if name != DELETED_AT and self.mask["properties", name]
        ]
        #: The kinds of annotations that are asked for.
        self.annotations = name_columns.kinds(wanted)
        #: The columns that are asked for.
        self.columns = Columns(self.name, name_columns.columns(wanted), self._keys())
        self._spelling = Spelling(
            self.name,
            [*self.columns.names, *self._keys()],
            self.row_key,
            self.schema["properties"],
            self._notices,
        )

    def _keys(self) -> list[str]:
        """Name the columns of the keys, and the replication key."""
        replication_key = [self.replication_key] if self.replication_key else []
        return [*dict.fromkeys((*self.row_key, *self.primary_keys, *replication_key))]

    @property
    @override
    def metadata(self) -> MetadataMapping:
        return self.entry.metadata

    @property
    @override
    def url_base(self) -> str:
        return self.service.url

    @property
    @override
    def authenticator(self) -> Authenticator:
        return self.service.authenticator

    @property
    @override
    def requests_session(self) -> requests.Session:
        return self.service.session

    @property
    @override
    def timeout(self) -> int | None:  # type: ignore[override]  # None: wait for ever
        return self.service.timeout

    @override
    def build_prepared_request(self, *args: Any, **kwargs: Any) -> requests.PreparedRequest:
        # Without signing it yet, which the SDK does twice: signing may have to be tried again.
        return self.requests_session.prepare_request(requests.Request(*args, **kwargs))

    @override
    def validate_response(self, response: requests.Response) -> None:
        # Whether a page is whole shows when it is taken apart.
        self.service.check(response, is_whole=True)
        hint = response.headers.get("x-ms-dop-hint")
        self.service.parallelism.answered(response.elapsed.total_seconds(), hint)

    @property
    def address(self) -> str:
        """Where the table's rows are."""
        return f"{self.service.url}{quote(self.entry.table or '')}"

    def fetch(self, request: HTTPRequest) -> RawPage:
        """Fetch a page, in whichever thread.

        Args:
            request: What to ask for.

        Returns:
            The page, all of it.

        Raises:
            ServiceError: The service refused.
        """
        return self.service.retrying(self.send)(request)

    def send(self, request: HTTPRequest, asked: int = 0) -> RawPage:
        """Fetch a page at the first try, or not at all.

        Args:
            request: What to ask for.
            asked: How many rows are asked for.

        Returns:
            The page, all of it.

        Raises:
            ServiceError: The service refused, for now or for good.
        """
        self._calls.spend()
        prepared = self.build_prepared_request("GET", request.url, headers=request.headers)
        response = self._request(prepared, None)
        page = split(response, asked, is_reached=self.service.is_reached)
        self.service.is_reached = True
        for repair in page.repairs:
            self._notices.warn(REPAIRED, self.name, repair)
        if page.next_link is not None and not self._leads_to_rows(page.next_link):
            page = replace(page, next_link=None, more=True)
        return self._spelling.corrected(page)

    def _leads_to_rows(self, link: str) -> bool:
        """Tell whether a link leads to rows, and not to the root of the service or above it.

        The answer at the root has the form of a page of rows, and lists entity sets.
        """
        path = urlsplit(self.service.resolve(link)).path.rstrip("/").lower() + "/"
        root = urlsplit(self.service.url).path.lower()
        return not root.startswith(path) and ROOT.search(path) is None

    def passes(self) -> Generator[Pass, None, None]:
        """Yield the passes over the table, each of which is to be read to its end.

        An error that ended one may be thrown in, for another way to be tried.
        """
        self.columns.fit(self.address, self.service.longest_url)
        plan = self._method().passes()
        self.current = next(plan, None)
        while self.current is not None:
            self.tally.begin(reads_all=self.current.reads_all)
            try:
                yield self.current
            except ServiceError as error:
                if self._asks_otherwise(error):
                    continue
                if isinstance(error, UnsortedError) and self._bookmark is not None:
                    self.current = self._unsorted_pass(self._bookmark, error)
                    continue
                if isinstance(error, CallLimitError) and self._bookmark is not None:
                    self._bookmark.stop()
                    if self._unsorted is not None and not self.current.understood:
                        # What there were no calls left for would hardly have helped.
                        error = self._unsorted
                try:
                    self.current = plan.throw(error)
                except StopIteration:
                    return
            else:
                self._note_version(self.current.metadata_version)
                self._end_pass()
                self.current = next(plan, None)

    def _asks_otherwise(self, error: ServiceError) -> bool:
        """Tell whether it was for the columns asked for that a request failed, and ask for others.

        Args:
            error: How it failed.

        Raises:
            ServiceError: It was, and the table can't be read without one of them.
        """
        if error.failure is Failure.ADDRESS_TOO_LONG and self.columns.ask_for_all():
            self.service.longest_url = SAFE_URL
            return True
        return self.columns.drop(error)

    def _unsorted_pass(self, bookmark: Bookmark, error: UnsortedError) -> Pass:
        """Make a pass over all rows, in whatever order, in place of one that was to be sorted.

        Where rows came out of order, no bookmark that was taken from them says anything. Until
        all rows were sent there is none; then there is the one from before.

        Args:
            bookmark: How far the table was read.
            error: Why it can't be read sorted.
        """
        self._held_back, self._unsorted = None, error
        if self.current is not None:
            self.current.replaced()
        if error.is_seen:
            bookmark.void()
            self.states.write_now(self.tap_state)
            self._tell_unsorted()
        return Pass(self.codec().page)

    def _tell_unsorted(self) -> None:
        if self._unsorted is not None:
            self._notices.warn(UNSORTED, self.name, self.replication_key, self._unsorted.message)

    def _end_pass(self) -> None:
        """Take what the end of a pass has made sure of: a bookmark that was held back."""
        if self._bookmark is None:
            return
        if self.current is not None and self.current.is_key_absent:
            self._notices.warn(ABSENT, self.name, self.replication_key)
        if isinstance(self._held_back, (str, int)):
            self._bookmark.advance(self._held_back)
        if self._unsorted is not None and self._unsorted.is_seen:
            self._bookmark.restore()
        self._tell_unsorted()
        self._held_back = self._unsorted = None

    def _note_version(self, version: Value) -> None:
        """Note the version of the service's definitions, or that it has changed."""
        if version is None:
            return
        if self.table_state.entry.metadata_version in {None, version}:
            self.table_state.change(metadata_version=version)
        else:
            self.new_definitions = version

    def accept_definitions(self) -> None:
        """Have the state say that the columns were compared with the new definitions."""
        self.table_state.change(metadata_version=self.new_definitions)

    def _method(self) -> Method:
        """Choose how the table is replicated, given what the state says of runs before."""
        if self.replication_method == LOG_BASED:
            return LogBased(self, self._bookmark)
        if self.replication_method == FULL_TABLE or self._bookmark is None:
            return FullTable(self)
        # Records have no version, and tell nothing of deletes.
        adopted = self._bookmark.adopted(self.table_state.entry.delta_token)
        self.table_state.change(version=None, delta_token=None, **adopted)
        return Incremental(self, self._bookmark)

    @cached_property
    def _bookmark(self) -> Bookmark | None:
        if self.replication_key is None or self.scale is None:
            return None
        return Bookmark(
            self.name,
            self.table_state,
            self.replication_key,
            self.scale,
            lookback=self.settings.lookback_seconds,
            start_date=self.settings.start_date,
            clock=self.service.clock,
        )

    @cached_property
    def scale(self) -> Scale | None:
        """How values of the replication key are reckoned with."""
        return keys.scale(self.schema["properties"].get(self.replication_key, {}))

    def sorted_pass(self, start: Value) -> Pass:
        """Make a pass over the rows in the order of the replication key.

        Of a virtual table, whose provider may ignore the order that it is asked for, and of one
        whose rows have come in another, no bookmark is taken before the end.

        Args:
            start: The smallest value of it to ask for; None for all rows.
        """
        key = self.replication_key
        codec = self.codec(key)
        least = None if self.scale is None else keys.least(self.scale, start)
        part = Pass(codec.page, sorted_by=key, start=start, reached=least)
        if self.entry.is_view or (self._bookmark is not None and self._bookmark.is_unsorted):
            return replace(part, holds_back=True)
        return replace(part, keyset=codec.keyset, scale=self.scale)

    def check_order(self, page: Page) -> None:
        """Look at the replication key of each row of a page that is about to be sent.

        Args:
            page: The page that is next.

        Raises:
            UnsortedError: Rows are not in the order asked for.
        """
        if self.current is None or not self.current.sorted_by:
            return
        self.current.check_order(page)
        for piece in page.pieces:
            if piece.keys.unread is not None:
                unread = printable(piece.keys.unread)
                self._notices.warn(UNREAD, self.current.sorted_by, self.name, unread)
                return

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        if self.current is not None and self.current.sorted_by:
            self.advance(latest_record.get(self.current.sorted_by))

    def advance(self, value: object) -> None:
        """Move the bookmark on behind a row that was sent; begun again, the pass goes on there.

        Args:
            value: Its value of the replication key. What can't be read as one does not move it.
        """
        if self.current is None or self._bookmark is None or self.scale is None:
            return
        if not isinstance(value, (str, int)) or keys.position(self.scale, value) is None:
            return
        if self.current.holds_back:
            self._held_back = value
        else:
            self.current.start = value
            self._bookmark.advance(value)

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """Return nothing: the SDK's BATCH messages ignore selection and stream maps."""

    @override
    def is_refused(self, error: ServiceError) -> bool:
        # What was sent of a table would be taken for all of it.
        if error.failure not in {Failure.DENIED, Failure.GONE} or self.tally.rows:
            return False
        self.unreadable = True
        self.logger.warning("Skipped %r, which can't be read. %s", self.name, error.message)
        return True

    def codec(self, key: str | None = None) -> Codec:
        """Give what turns the service's pages into messages.

        Args:
            key: The replication key, if rows are sorted by it.
        """
        kind = (key, self._stream_version)
        if kind not in self._codecs:
            self._codecs[kind] = Codec(
                self.name,
                self.schema,
                lambda path: self.mask[_breadcrumb(path)],
                annotated=self.annotated,
                key=key,
                ids=self.row_key,
                look=None if self.scale is None else partial(order.look, scale=self.scale),
                version=self._stream_version,
            )
        return self._codecs[kind]

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return nothing: the bookmark has a bound of its own, the service's time."""

    @override
    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Do nothing: where to begin is the replication method's business."""

    @override
    def _process_record(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the SDK would filter the record for child streams, and there are none."""

    @override
    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        if record.get(DELETED_AT) is None:
            yield from super()._generate_record_messages(record)
        else:
            yield from deletions.messages(self.stream_maps, self.schema["properties"], record)


def _breadcrumb(path: tuple[str, ...]) -> tuple[str, ...]:
    """Write a path of names as the catalog's metadata has it."""
    return tuple(step for name in path for step in ("properties", name))
