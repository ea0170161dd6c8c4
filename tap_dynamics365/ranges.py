"""One table's pages in order, some of them fetched side by side.

The first load of a large table is cut into ranges of the replication key. How wide they are is
learnt from the rows themselves: each page tells how many rows there are to a unit of the key. A
range that turns out to hold much more is cut where its page ends, and the rest of it becomes a
range of its own, next in order; so the widths need not be right, only useful.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tap_dynamics365.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_dynamics365.records.page import Page
    from tap_dynamics365.replication.keys import Scale

# A range is made for so many pages, read one behind the other: a little less than three, for its
# last page is seldom full, and a few rows cost as much time as a page of them.
PAGES_A_RANGE = 2.85
# Near the table's end they are smaller, so that all requests in flight end together; the smallest.
SMALLEST_RANGE = 0.9
# A range that seems to hold so many times what it was made for is divided.
TOO_WIDE = 1.5
# No wider than so many times the one before: where rows lie unevenly, the width feels its way.
GROWTH = 4.0
# In a link of Dataverse: the last row of the page before.
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/page-results
COOKIE = re.compile(r'pagingcookie="[^"]')


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a range begins or ends.

    Attributes:
        position: To reckon with.
        literal: To ask with; the service's own words where they came from it.
    """

    position: int
    literal: str | int


@dataclass(slots=True, eq=False)
class Range:
    """The rows from one value of the key up to, not including, another.

    Attributes:
        low: Where it begins; None is where the table's replication begins.
        high: Where it ends; None is the table's end.
        link: Where its next page is, once it has one.
        asked: How many rows were asked for with the page that told so.
        end: Where the rows that were fetched end, if the rest can be asked for by that.
        busy: Whether a request for it is on its way.
        done: Whether all of it was fetched.
        rows: How many were fetched.
        reached: Up to where.
        pages: What was fetched and not yet written.
    """

    low: Bound | None = None
    high: Bound | None = None
    link: str | None = None
    asked: int = 0
    end: Mapping[str, str | None] | None = None
    busy: bool = False
    done: bool = False
    rows: int = 0
    reached: int | None = None
    pages: deque[Page] = field(default_factory=deque)
    _links: set[str] = field(default_factory=set)

    def follow(self, page: Page) -> None:
        """Go on behind a page.

        Args:
            page: The page.

        Raises:
            ServiceError: The service has sent the same link before, and would do so for ever.
        """
        link = page.next_link
        if link in self._links:
            msg = (
                "The service sent the same link to a next page twice; following it would never "
                "end. Run again; if it stays so, choose another fetch_size."
            )
            raise ServiceError(msg)
        self.link = link
        self.asked = page.asked
        if page.sent:
            self.end = page.end
        self.done = link is None
        if link is not None:
            self._links.add(link)

    def fitting(self, rows: int) -> int:
        """Tell how many rows may be asked for with the link.

        Args:
            rows: How many are to be.

        Returns:
            No more than with the page before, unless the link says behind which row it goes on:
            where the service counts pages instead, larger ones would pass over rows, and smaller
            ones only send some again.
        """
        return rows if COOKIE.search(unquote(self.link or "")) else min(rows, self.asked)


class Ranges:
    """What of a table is fetched, is on its way, and is to be asked for.

    Args:
        scale: How values of the replication key can be divided; None if they can't, and the table
            is read link by link.
        parallel: How many requests there may be for it at once.
    """

    def __init__(self, scale: Scale | None, parallel: int = 1) -> None:
        self.scale = scale
        self._parallel = parallel
        self.maximum: int | None = None
        #: Whether the greatest value of the key is known, or was asked for.
        self.measured = scale is None
        self._ranges: deque[Range] = deque([Range()])
        self._rows_a_page = 0
        self._rows_a_unit = 0.0
        # Up to where rows were counted: what lies ahead is likest to what was read last.
        self._counted_to = 0

    @property
    def finished(self) -> bool:
        """Whether everything was fetched and handed out."""
        return not self._ranges

    @property
    def wants_measure(self) -> bool:
        """Whether there is more than a page, and the key's greatest value would help."""
        return not self.measured and self._rows_a_page > 0

    def front_is_idle(self) -> bool:
        """Tell whether nothing is under way for what has to be written next."""
        front = self._ranges[0] if self._ranges else None
        return front is not None and not (front.busy or front.done or front.pages)

    def next(self) -> Range | None:
        """Choose what to ask for: the earliest range that waits.

        Returns:
            The range, or None if each has a request on its way. Of a wide one only the
            beginning is given; the rest of it waits on.
        """
        for index, waiting in enumerate(self._ranges):
            if not (waiting.busy or waiting.done):
                self._narrow(index, waiting)
                return waiting
        return None

    def _pages(self, part: Range) -> float:
        """Estimate how many pages of a range are still to be fetched; none where none can tell."""
        low = part.low.position if part.reached is None and part.low else part.reached
        if self.maximum is None or low is None or not self._rows_a_page:
            return 0.0
        high = min(part.high.position, self.maximum) if part.high else self.maximum
        return (high - low) * self._rows_a_unit / self._rows_a_page

    def _narrow(self, index: int, wide: Range) -> None:
        """Divide a range that is likely to hold too much."""
        pages = self._pages(wide)
        wanted = min(PAGES_A_RANGE, max(SMALLEST_RANGE, pages / self._parallel))
        if self.scale is None or wide.low is None or wide.link is not None:
            return
        if pages <= TOO_WIDE * wanted:
            return
        width = max(1, int(wanted * self._rows_a_page / self._rows_a_unit))
        middle = self.scale.edge(wide.low.position + width)
        if wide.high is None or middle < wide.high.position:
            bound = Bound(middle, self.scale.literal(middle))
            self._ranges.insert(index + 1, Range(low=bound, high=wide.high))
            wide.high = bound

    def accept(self, asked: Range, page: Page) -> None:
        """Take in a page.

        Args:
            asked: The range that it was asked for, as `next` gave it.
            page: The page.

        Raises:
            ServiceError: It leads back to where the range has been.
        """
        asked.busy = False
        if self._pages(asked) > TOO_WIDE * PAGES_A_RANGE:
            page = page.cut_off() or page
        asked.follow(page)
        asked.rows += page.rows
        if page.rows:
            asked.pages.append(page)
        if page.last is not None and self.scale is not None:
            asked.reached = self.scale.position(page.last)
        if page.cut is not None and self.scale is not None:
            bound = Bound(self.scale.position(page.cut), page.cut)
            rest = Range(low=bound, high=asked.high)
            asked.high = bound
            self._ranges.insert(self._ranges.index(asked) + 1, rest)
        self._learn(asked, page)

    def _learn(self, asked: Range, page: Page) -> None:
        """Work out how many rows there are to a unit of the key."""
        if self.scale is None:
            return
        if not asked.done or page.cut is not None:
            self._rows_a_page = max(self._rows_a_page, page.sent)
        rows, low, high = page.rows, page.first, page.last
        if asked.done and asked.low is not None and asked.high is not None:
            rows, low, high = asked.rows, asked.low.literal, asked.high.literal
        if low is None or high is None:
            return
        start, end = self.scale.position(low), self.scale.position(high)
        if end > start and end >= self._counted_to:
            self._counted_to = end
            self._rows_a_unit = max(rows / (end - start), self._rows_a_unit / GROWTH)

    def take(self) -> Iterator[Page]:
        """Yield the pages that are next in order and there."""
        while self._ranges:
            front = self._ranges[0]
            while front.pages:
                yield front.pages.popleft()
            if not front.done:
                return
            self._ranges.popleft()

    @property
    def size(self) -> int:
        """Bytes that were fetched and not yet written."""
        return sum(page.size for part in self._ranges for page in part.pages)
