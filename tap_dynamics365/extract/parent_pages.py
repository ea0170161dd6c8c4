"""Parent pages: fetches rows that can only be read through the rows of a parent.

The rows of many parents are requested at once. If one of these parents can't be read, the whole
request fails. Then fewer parents are requested at once, and at last each one alone. A parent that
fails alone is skipped, and the state names it, so that the next run tries again.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_dynamics365.errors import CallLimitError, Failure, ServiceError
from tap_dynamics365.extract import expansion
from tap_dynamics365.extract.page_size import PageSize
from tap_dynamics365.odata.keyset import literal
from tap_dynamics365.odata.page import RawPage, reading, with_columns
from tap_dynamics365.odata.row_types import NULL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from msgspec import Raw

    from tap_dynamics365.extract.columns import Columns
    from tap_dynamics365.extract.range import Range
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.table import Table
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.services.parent_path import ParentPath

# Failures that may concern one parent.
OF_ONE_PARENT = {
    Failure.FATAL,
    Failure.GONE,
    Failure.NEEDS_PARENT,
    Failure.NOT_UNDERSTOOD,
    Failure.TOO_LARGE,
    Failure.TRANSIENT,
}
# If so many parents fail one after the other before any rows were read, it is no matter of one.
TOO_MANY = 3
# The parents that are named in the log.
MOST_LOGGED = 10
# Parents that are requested at once after a request for more has failed.
FEW = 20
# Reads with $expand were answered with 409, "Another user has already changed the record", unless
# they have this header.
HEADERS: Mapping[str, str] = {"If-Match": "*"}

REPEATED = (
    "The service sent the same link to further rows of a parent twice. Following it would never "
    "end."
)
UNREAD = (
    "The rows of %r that belong to %s(%s) are skipped, because the service can't read them. The "
    "next run tries again. %s"
)


class ParentPages:
    """Fetches pages of one table through its parents, in any thread.

    Args:
        table: The table.
        client: The client of the service.
        columns: The columns to ask for.
        fetch_size: The most parents to request at once.
        read_page: Requests a page once: URL, header `Prefer`, rows asked for, further headers.

    Attributes:
        unread: Why the rows of a parent could not be read, by path and id.
    """

    def __init__(
        self,
        table: Table,
        client: ODataClient,
        columns: Columns,
        fetch_size: int,
        read_page: Callable[[str, str, int, Mapping[str, str]], RawPage],
    ) -> None:
        self._table = table
        self._client = client
        self._columns = columns
        self._read_page = read_page
        most = min(fetch_size, client.dialect.most_at_once)
        self._page_size = PageSize(table.name, most, most)
        # Whether rows were read before. If not, the service may not understand the query at all.
        self._is_understood = False
        self.unread: dict[tuple[str, str], str] = {}

    def fetch(self, read: TableRead, path: ParentPath, place: Range) -> RawPage:
        """Fetch the rows of the next parents, with retries.

        Args:
            read: The read.
            path: The way to the rows.
            place: How far the parents were read.

        Returns:
            The rows, and the link to the next parents.

        Raises:
            ServiceError: The service refused.
        """
        if read.parent_ids is not None:
            rows = self._each(read, path, read.parent_ids)
            return RawPage(b"".join(map(bytes, rows)), rows)
        for most in (self._page_size.rows, FEW):
            try:
                page = self._client.retrying(self._expanded)(read, path, place, most)
                # Not within: a link in the page takes a request of its own.
                found = self._rows(page, path)
            except ServiceError as error:
                if not may_be_one_parent(error):
                    raise
            else:
                self._is_understood = True
                return replace(page, rows=found)
        page = self._client.retrying(self._request)(self._url(read, path, place), FEW)
        with reading():
            parents = [expansion.parent(row, path) for row in page.rows]
        schema = {"format": "uuid"} if path.is_guid else {}
        ids = [literal(bytes(each.id), schema) or "" for each in parents]
        return replace(page, rows=self._each(read, path, ids))

    def _expanded(self, read: TableRead, path: ParentPath, place: Range, most: int) -> RawPage:
        """Request parents with their rows, once."""
        rows = min(most, self._page_size.rows)
        try:
            page = self._request(self._url(read, path, place, self._expansion(read, path)), rows)
        except ServiceError as error:
            self._page_size.record_failure(rows, error)
            raise
        self._page_size.record_success(rows)
        return page

    def _request(self, url: str, rows: int) -> RawPage:
        return self._read_page(url, f"odata.maxpagesize={rows}", rows, HEADERS)

    def _url(self, read: TableRead, path: ParentPath, place: Range, expanded: str = "") -> str:
        if place.link is not None:
            return expansion.following(self._client.resolve(place.link), path, expanded)
        url = self._table.spec.url_of(path.parent)
        return expansion.parents(url, path, read.parent_condition or "", expanded)

    def _expansion(self, read: TableRead, path: ParentPath) -> str:
        conditions = [read.condition, read.row_filter and f"({read.row_filter})"]
        condition = " and ".join(filter(None, conditions))
        return expansion.expand(path, self._columns.names, condition)

    def _each(self, read: TableRead, path: ParentPath, ids: Iterable[str]) -> list[Raw]:
        """Request the rows of parents one by one, and note those that fail.

        Raises:
            ServiceError: All parents seem to fail.
        """
        url = self._table.spec.url_of(path.parent)
        found: list[Raw] = []
        failed: list[str] = []
        for each in ids:
            condition = f"{path.id} eq {each}"
            alone = expansion.parents(url, path, condition, self._expansion(read, path))
            try:
                found += self._rows(self._client.retrying(self._request)(alone, 1), path)
            except ServiceError as error:
                failed.append(each)
                is_vain = not self._is_understood and len(failed) >= TOO_MANY
                if is_vain or not may_be_one_parent(error):
                    for other in failed:
                        self.unread.pop((path.name, other), None)
                    raise
                self._note_unread(path, each, error)
            else:
                self._is_understood = True
        return found

    def _note_unread(self, path: ParentPath, parent: str, error: ServiceError) -> None:
        """Note a parent whose rows can't be read."""
        self.unread[path.name, parent] = error.message
        level = logging.WARNING if len(self.unread) <= MOST_LOGGED else logging.DEBUG
        self._table.logger.log(level, UNREAD, self._table.name, path.parent, parent, error.message)

    def _rows(self, page: RawPage, path: ParentPath) -> list[Raw]:
        """Take the rows out of a page of parents, and add id and time of change of the parent."""
        spec = self._table.spec
        found: list[Raw] = []
        with reading():
            for row in page.rows:
                parent = expansion.parent(row, path)
                values = {spec.parent_id: parent.id, spec.changed_at: parent.changed_at}
                added = {name: value for name, value in values.items() if name and value != NULL}
                rows = expansion.children(row, path.steps, self._more)
                found += with_columns(rows, added) if added else rows
        return found

    def _more(self, link: str) -> list[Raw]:
        """Request the rows of a link, and of the links after it."""
        rows: list[Raw] = []
        next_link: str | None = link
        seen: set[str] = set()
        while next_link is not None:
            if next_link in seen:
                raise ServiceError(REPEATED)
            seen.add(next_link)
            url = self._client.resolve(next_link)
            page = self._client.retrying(self._request)(url, self._client.dialect.largest_page)
            rows += page.rows
            next_link = page.next_link
        return rows


def may_be_one_parent(error: ServiceError) -> bool:
    """Tell whether a request may succeed without one of its parents.

    Args:
        error: The failure of the request.
    """
    is_answer = error.failure is not Failure.TRANSIENT or error.response is not None
    return error.failure in OF_ONE_PARENT and is_answer and not isinstance(error, CallLimitError)
