"""A table's stream page by page: what the engine reads and writes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import requests
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.streams.rest import HTTPRequest
from typing_extensions import override

from tap_dynamics365.errors import (
    CallLimitError,
    ServiceError,
    TransportError,
    UnsortedError,
    is_query_refused,
)
from tap_dynamics365.extract.page_size import PageSize
from tap_dynamics365.extract.range import Bound, Range
from tap_dynamics365.extract.read import Pass
from tap_dynamics365.http.session import never_connected
from tap_dynamics365.odata import query
from tap_dynamics365.odata.page import single
from tap_dynamics365.singer.encoder import records
from tap_dynamics365.singer.table_stream import TableStream

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import CatalogEntry
    from singer_sdk.tap_base import Tap

    from tap_dynamics365.extract.page import Page, Value
    from tap_dynamics365.odata.client import Service
    from tap_dynamics365.odata.page import RawPage
    from tap_dynamics365.settings import Settings
    from tap_dynamics365.singer.state_writer import PacedStateWriter


class PagedStream(TableStream):
    """A table's rows, encoded as they come, in place of the SDK's loop over records.

    Args:
        tap: The tap that the stream belongs to.
        entry: What the catalog says of the table.
        service: Where the rows are.
        states: What writes the state; rows go where it goes.
        settings: How many rows to ask for with each request; where to begin.
    """

    def __init__(
        self,
        tap: Tap,
        entry: CatalogEntry,
        service: Service,
        states: PacedStateWriter,
        settings: Settings,
    ) -> None:
        self.writer = states.writer
        self._metrics = ExitStack()
        self._has_begun = False
        super().__init__(tap, entry, service, states, settings)
        #: How many rows its pages are to have.
        self.page_size = PageSize(self.name, settings.fetch_size)
        # Whether the service compares ids, by which rows behind a page are asked for, as far as
        # has been seen. Any thread may learn that it does not.
        self._compares_ids = True

    @property
    def is_passed_through(self) -> bool:
        """Whether records leave as they came, so that nothing needs them as Python values.

        Stream maps, flattening, child streams and the limit of `--test` do.
        """
        maps = self.stream_maps
        return (
            len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and not maps[0].flattening_enabled
            and not self.child_streams
            and self.ABORT_AT_RECORD_COUNT is None
        )

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Yield the rows one after the other; a table that may not be read is skipped."""
        requests_made = self.get_http_request_counter()
        passes = self.passes()
        with requests_made:
            part = next(passes, None)
            while part is not None:
                try:
                    for page in self._pages(part):
                        requests_made.increment()
                        self.check_order(page)
                        for record in records(page):
                            yield record
                            self.tally.rows += 1
                    part = next(passes, None)
                except ServiceError as error:
                    part = self.instead(passes, error)
        self.conclude()

    def fetch_sample(self) -> Record | None:
        """Fetch one row, in whichever thread.

        Returns:
            The row; None if there is none.

        Raises:
            ServiceError: The service refused.
        """
        self.columns.fit(self.address, self.service.longest_url)
        self.page_size = PageSize(self.name, 1)
        part = Pass(self.codec().page)
        while True:
            try:
                page = self.read(part, Range())
            except ServiceError as error:
                if not self._asks_otherwise(error):
                    raise
            else:
                # Some services give more than they are asked for.
                return next(records(part.decode(replace(page, rows=page.rows[:1]))), None)

    def instead(self, passes: Generator[Pass, None, None], error: ServiceError) -> Pass | None:
        """Find what to do in place of a pass that failed.

        Args:
            passes: What `passes` gave.
            error: The failure.

        Returns:
            The next pass; None if the table is to be skipped.

        Raises:
            ServiceError: There is no other way.
        """
        try:
            return passes.throw(error)
        except StopIteration:
            return None
        except ServiceError as final:
            if self.is_refused(final) or self._is_enough(final):
                return None
            raise

    def _is_enough(self, error: ServiceError) -> bool:
        """Tell whether what was read is all that the settings allow, and warn if so."""
        if not (isinstance(error, CallLimitError) and self.settings.returns_results):
            return False
        self.is_cut_short = True
        self.logger.warning("%r was read in part. %s", self.name, error.message)
        return True

    def _pages(self, part: Pass) -> Iterator[Page]:
        """Fetch the pages of a pass one after the other."""
        whole = Range()
        while not whole.done:
            page = part.take_in(self.read(part, whole))
            yield part.decode(page)
            whole.follow(page)

    def read(self, part: Pass, place: Range) -> RawPage:
        """Fetch the next page of a range, in whichever thread.

        Each try asks for as many rows as pages of the table are to have by then.

        Args:
            part: The pass that the range belongs to.
            place: The range, and how far it was read.

        Returns:
            The page, all of it.

        Raises:
            ServiceError: The service refused.
            TransportError: There is no connection to it, and there was none before.
        """
        try:
            return self.service.retrying(self._try)(part, place)
        except ServiceError as error:
            if not self.service.is_reached and never_connected(error.__cause__):
                raise TransportError(error.message) from error
            raise

    def _try(self, part: Pass, place: Range) -> RawPage:
        """Ask for a page once, and at once in another way where what was asked is not understood.

        Raises:
            UnsortedError: The order, or a bound of the key, is not understood.
            ServiceError: The service refused.
            requests.RequestException: It could not be reached.
        """
        rows, compares_ids = self.page_size.rows, self._compares_ids
        asked, behind = place, None
        if place.by_values and place.end is not None:
            if compares_ids:
                behind = place.end
            else:
                # The rows of the last value come once more.
                value = place.end[part.sorted_by or ""]
                asked = Range(low=Bound(0, value) if value else None, high=place.high)
        elif place.link is not None and rows != place.asked:
            # The link belongs to pages of the size before.
            behind = place.end if compares_ids else None
            rows = rows if behind else place.fitting(rows)
        by_query = asked.link is None or behind is not None
        try:
            page = self.send(self._request_for(part, asked, rows, behind), rows)
        except (ServiceError, requests.RequestException) as error:
            if isinstance(error, ServiceError) and is_query_refused(
                error, is_virtual=part.holds_back
            ):
                if behind is not None:
                    self._compares_ids = False
                    return self._try(part, place)
                if by_query and part.sorted_by and part.has_bounds(asked) not in part.understood:
                    raise UnsortedError(error.message, is_seen=False) from error
            self.page_size.failed(rows, error)
            raise
        if by_query:
            part.understood.add(part.has_bounds(asked))
        self.page_size.went_well(rows)
        return page

    def _request_for(
        self, part: Pass, place: Range, rows: int, behind: Mapping[str, str | None] | None
    ) -> HTTPRequest:
        """Make the request for a page: behind a row, by the link, or where the range begins."""
        if place.link is None or behind:
            low = place.low.literal if place.low else None
            high = place.high.literal if place.high else None
            query = part.query(self.columns.names, self.row_key, low, high, behind)
            url = f"{self.address}?{query}"
        else:
            url = self.service.resolve(place.link)
        first = not place.has_begun and place.low is None and self.service.is_dataverse
        wishes = part.wishes(rows, ask_version=first, annotations=self.annotations)
        return HTTPRequest(url, headers={"Prefer": wishes})

    def _begin(self) -> None:
        """Send what comes before the records, as the SDK's own `sync` does, once."""
        if self._has_begun:
            return
        self._has_begun = True
        self.announce()
        self._requests = self._metrics.enter_context(self.get_http_request_counter())
        self._records = self._metrics.enter_context(self.get_record_counter())
        self._metrics.enter_context(self.get_sync_timer())

    def ask_greatest(self) -> Value:
        """Ask for the greatest value of the replication key, in whichever thread.

        Returns:
            The value, or None if there is none.

        Raises:
            ServiceError: The service refused, or its answer is no page of rows.
        """
        key = self.replication_key or ""
        page = self.fetch(HTTPRequest(f"{self.address}?{query.greatest(key)}"))
        return single(page, key)

    def write(self, page: Page) -> None:
        """Write a page's records, and the state behind them.

        Args:
            page: The page that is next in order.

        Raises:
            UnsortedError: Its rows are not in order. None of them was written.
        """
        self.check_order(page)
        self._begin()
        self._requests.increment()
        for piece in page.pieces:
            self.writer.write_records(piece.lines)
            self.state_manager.is_flushed = False
            self.advance(piece.keys.last)
            self._records.increment(piece.rows)
            self.tally.rows += piece.rows
        self._write_state_message()

    def finish(self, error: ServiceError | None = None) -> None:
        """Send what comes behind the records.

        Args:
            error: Why the table failed, if it did.
        """
        if error is not None:
            self._metrics.close()
            self.fail(error)
            return
        self.tally.outcome = self.outcome
        if not self.unreadable:
            self._begin()
        self._metrics.close()
        if not self.unreadable:
            self.conclude()
            self._finalize_state(self.stream_state)
        self._write_state_message()
