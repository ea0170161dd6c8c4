"""Page reader: fetches the pages of one table, smaller ones where a page is too much."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import requests
from msgspec import Raw

from tap_dynamics365.errors import (
    Failure,
    ServiceError,
    TransportError,
    UnsortedError,
    is_query_refused,
)
from tap_dynamics365.extract.columns import Columns
from tap_dynamics365.extract.page_size import PageSize, is_too_much
from tap_dynamics365.extract.parent_pages import ParentPages
from tap_dynamics365.extract.range import Bound, Range
from tap_dynamics365.extract.spelling import Spelling
from tap_dynamics365.http.response import SAFE_URL
from tap_dynamics365.http.session import never_connected
from tap_dynamics365.odata import query
from tap_dynamics365.odata.page import single, with_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tap_dynamics365.extract.call_limit import CallLimit
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.table import Table
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.page import RawPage, Value
    from tap_dynamics365.settings import Settings

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

REPAIRED = "Rows of %r hold values that can't be passed on as the service wrote them: %s."


@dataclass(frozen=True)
class _Begin:
    """Where a page begins: at the start of its range, by the link, or after a row.

    Attributes:
        place: The range, and how far it was read.
        rows: How many rows to ask for.
        after: The key values of the row after which the page begins.
        skip: How many rows after that are not asked for.
        tie: The key values of the row, if only the rows with its first value are asked for.
    """

    place: Range
    rows: int
    after: Mapping[str, str | None] | None = None
    skip: int = 0
    tie: Mapping[str, str | None] | None = None

    @property
    def is_by_query(self) -> bool:
        """Whether the tap writes the whole query, without a link."""
        return self.tie is None and (self.place.link is None or self.after is not None)


class PageReader:
    """Fetches pages of one table, in any thread.

    Args:
        table: The table.
        client: The client of the service.
        settings: How many rows to ask for with each request, and how many requests to send.
        on_answer: Called with each answer to a request for rows.
        calls: Limits the number of requests.
    """

    def __init__(
        self,
        table: Table,
        client: ODataClient,
        settings: Settings,
        on_answer: Callable[[requests.Response], None] | None,
        calls: CallLimit,
    ) -> None:
        self._table = table
        self._client = client
        self._on_answer = on_answer
        spec = table.spec
        self._address = spec.url
        self._columns = Columns(table.name, list(spec.columns), spec.keys, spec.row_filter)
        largest = client.dialect.largest_page
        wanted = settings.fetch_size
        if client.dialect.refuses_larger_pages:
            wanted = min(wanted, largest)
        self._page_size = PageSize(table.name, wanted, largest)
        self._calls = calls
        self._parents = ParentPages(
            table, client, self._columns, settings.fetch_size, self._read_any_page
        )
        part = spec.part.values if spec.part is not None else {}
        # The columns of the part, as JSON.
        self._added = {name: Raw(msgspec.json.encode(value)) for name, value in part.items()}
        self._spelling = Spelling(
            table.name,
            [*spec.columns, *spec.keys],
            spec.row_key,
            spec.schema,
            table.notices,
        )
        # Whether the service compares ids, as far as is known. Any thread may change it.
        self._compares_ids = True
        # Whether `$top` limits pages, because the service ignores the page size that is asked for,
        # or takes too long for a page. It ends the answer, so only a read that continues by key
        # values can use it.
        self._limits_by_top = False

    def fit_columns(self) -> None:
        """Ask for all columns if the names of the selected ones make the URL too long."""
        self._columns.fit(self._address, self._client.longest_url)

    def adjust_columns(self, error: ServiceError) -> bool:
        """Tell whether the selected columns made a request fail, and request others if so.

        Args:
            error: The failure.

        Raises:
            ServiceError: The table can't be read without one of the columns.
        """
        if error.failure is Failure.ADDRESS_TOO_LONG and self._columns.ask_for_all():
            self._client.longest_url = SAFE_URL
            return True
        return self._columns.drop(error)

    def fetch(self, read: TableRead, place: Range) -> RawPage:
        """Fetch the next page of a range, in any thread, with retries.

        Args:
            read: The read that the range belongs to.
            place: The range, and how far it was read.

        Returns:
            The whole page.

        Raises:
            ServiceError: The service refused.
            TransportError: There is no connection to the service, and never was.
        """
        try:
            page = self._fetch_page(read, place)
        except ServiceError as error:
            if not self._client.is_reached and never_connected(error.__cause__):
                raise TransportError(error.message) from error
            raise
        if self._added:
            return replace(page, rows=with_columns(page.rows, self._added))
        return page

    def _fetch_page(self, read: TableRead, place: Range) -> RawPage:
        if read.through is not None:
            return self._parents.fetch(read, read.through, place)
        return self._client.retrying(self._fetch)(read, place)

    @property
    def unread_parents(self) -> Collection[tuple[str, str]]:
        """The parents whose rows could not be read: path and id of each."""
        return self._parents.unread

    def _fetch(self, read: TableRead, place: Range) -> RawPage:
        """Request a page once, with the current page size.

        Raises:
            UnsortedError: The service does not understand the order, or a bound of the key.
            ServiceError: The service refused.
            requests.RequestException: The service was not reached.
        """
        begin = self._begin(read, place)
        try:
            page = self._send(read, begin)
        except (ServiceError, requests.RequestException) as error:
            if isinstance(error, ServiceError) and self._tries_other(read, place, begin, error):
                return self._fetch(read, place)
            self._page_size.record_failure(begin.rows, error)
            self._limits_by_top = self._limits_by_top or is_too_much(error)
            raise
        place.tie = begin.tie or place.tie
        if begin.is_by_query:
            read.understood.add(read.has_bounds(begin.place))
        self._page_size.record_success(begin.rows)
        return page

    def _begin(self, read: TableRead, place: Range) -> _Begin:
        """Choose where the next page of a range begins."""
        begin = _Begin(place, self._page_size.rows)
        if place.by_values:
            return self._begin_by_values(read, begin)
        if place.link is not None and begin.rows != place.asked:
            # The link belongs to the earlier page size.
            if place.end and self._compares_ids and not self._needs_tie(place.end):
                return replace(begin, after=place.end)
            is_keyset = self._client.dialect.is_keyset_link(place.link)
            rows = place.rows_by_link(begin.rows, is_keyset_link=is_keyset)
            return replace(begin, rows=rows)
        return begin

    def _begin_by_values(self, read: TableRead, begin: _Begin) -> _Begin:
        """Choose where the next page begins if there is no link to it."""
        place = begin.place
        if self._needs_tie(place.end):
            return replace(begin, tie=place.end)
        # After a tie, only the replication key is left to compare.
        if self._compares_ids or [*(place.end or ())] == [read.sorted_by]:
            return replace(begin, after=place.end, skip=place.skip)
        if read.sorted_by and place.end is not None:
            # The rows with the last value are sent again.
            value = place.end[read.sorted_by]
            low = Bound(0, value) if value else None
            return replace(begin, place=Range(low=low, high=place.high))
        read.is_by_position = True
        return replace(begin, skip=place.fetched)

    def _tries_other(
        self, read: TableRead, place: Range, begin: _Begin, error: ServiceError
    ) -> bool:
        """Tell whether the page can be requested in another way after a refusal.

        Raises:
            UnsortedError: The service does not understand the order, or a bound of the key.
        """
        if error.failure is Failure.LINK_LOST and read.sorted_by and place.end is not None:
            place.link, place.by_values = None, True
            return True
        if not is_query_refused(error, is_virtual=read.holds_back):
            return False
        if (begin.after is not None or begin.tie is not None) and self._compares_ids:
            self._compares_ids = False
            return True
        is_new = begin.is_by_query and read.has_bounds(begin.place) not in read.understood
        if read.order and is_new:
            raise UnsortedError(error.message, is_seen=False) from error
        return False

    def _needs_tie(self, end: Mapping[str, str | None] | None) -> bool:
        """Tell whether it takes two requests to continue after a row.

        The rows after it are those with the same value of the first column and a greater id, or
        with a greater value. Where a service refuses such an `or`, the first ones are requested
        alone, and then the others.
        """
        return end is not None and len(end) > 1 and not self._client.dialect.joins_by_or

    def _send(self, read: TableRead, begin: _Begin) -> RawPage:
        """Send a request for a page."""
        spec, place, rows = self._table.spec, begin.place, begin.rows
        top = rows if read.continues_by_key and self._limits_by_top else None
        if begin.tie is not None:
            compares_ids = self._compares_ids
            options = read.tie_query(self._columns.names, begin.tie, compares_ids=compares_ids)
            url = f"{self._address}?{options}"
        elif begin.is_by_query:
            write = partial(
                read.query,
                key=spec.row_key,
                low=place.low.literal if place.low else None,
                high=place.high.literal if place.high else None,
                after=begin.after,
                skip=begin.skip,
                top=top,
            )
            url = f"{self._address}?{write(self._columns.names)}"
            if len(url) > self._client.longest_url:
                # The key values of this row are long.
                url = f"{self._address}?{write(())}"
        else:
            read.is_by_position = read.is_by_position or self._client.dialect.replaces_links
            url = self._client.resolve(place.link or "")
        is_first = not place.has_begun and place.low is None
        version = self._client.dialect.metadata_version if is_first else ""
        prefer = read.prefer(rows, metadata_version=version, annotations=spec.annotations)
        page = self._read_page(url, prefer, rows)
        if read.continues_by_key and len(page.rows) > rows:
            self._limits_by_top = True
        if top is not None and len(page.rows) >= top and page.next_link is None:
            return replace(page, more=True)
        return page

    def _read_page(self, url: str, prefer: str = "", rows: int = 0) -> RawPage:
        return self._spelling.corrected(self._read_any_page(url, prefer, rows))

    def _read_any_page(
        self, url: str, prefer: str, rows: int, headers: Mapping[str, str] = NO_HEADERS
    ) -> RawPage:
        """Request a page of rows of any table, once."""
        page = self._read_or_write(
            partial(
                self._client.read_page, url, prefer=prefer, asked=rows, on_answer=self._on_answer
            ),
            headers,
        )
        for repair in page.repairs:
            self._table.notices.warn(REPAIRED, self._table.name, repair)
        return page

    def _read_or_write(self, read: Callable[..., RawPage], further: Mapping[str, str]) -> RawPage:
        """Read a page; again if it has to write, which is remembered for all parts of the table."""
        entity_set, known = self._table.spec.entity_set, self._client.writing_sets
        writing = self._client.dialect.writing_headers
        self._calls.spend()
        if entity_set in known:
            return read(headers={**writing, **further})
        try:
            return read(headers=further)
        except ServiceError as error:
            if error.failure is not Failure.READ_ONLY or not writing:
                raise
        known.add(entity_set)
        self._calls.spend()
        return read(headers={**writing, **further})

    def fetch_max_key(self) -> Value:
        """Fetch the greatest value of the replication key, in any thread.

        Returns:
            The value; None if there is none.

        Raises:
            ServiceError: The service refused, or its answer is not a page of rows.
        """
        spec = self._table.spec
        key = spec.replication_key or ""
        url = f"{self._address}?{query.max_key(key, spec.row_filter)}"
        return single(self._client.retrying(self._read_page)(url), key)

    def fetch_next_value(self, column: str, value: str) -> str | None:
        """Fetch the next greater value of a column, in any thread.

        Args:
            column: The column.
            value: The value, as a literal.

        Returns:
            The next value, as a literal; None if there is none.

        Raises:
            ServiceError: The service refused, or its answer is not a page of rows.
        """
        options = query.next_value(column, value, self._table.spec.row_filter)
        found = single(self._client.retrying(self._read_page)(f"{self._address}?{options}"), column)
        return query.literal(found) if isinstance(found, str) else None

    def fetch_sample(self) -> RawPage:
        """Fetch a page of at most one row, in any thread.

        Returns:
            The page.

        Raises:
            ServiceError: The service refused.
        """
        self.fit_columns()
        self._page_size = PageSize(self._table.name, 1, self._client.dialect.largest_page)
        paths = self._table.spec.parents() if self._table.spec.is_bound else ()
        read = self._table.read(through=next(iter(paths), None))
        # Where the page size may be ignored, a page is too much for a test.
        limit = 1 if self._client.dialect.replaces_links else None
        while True:
            try:
                page = self.fetch(replace(read, limit=limit), Range())
            except ServiceError as error:
                if not self.adjust_columns(error):
                    raise
            else:
                # Some services send more rows than requested.
                return replace(page, rows=page.rows[:1])
