"""Ranges: divides a table into ranges of a column, which are fetched in parallel.

The first load of a large table is divided into ranges. Their widths follow from the density of the
rows: each page shows how many rows there are per unit of the key. If a range holds many more rows
than estimated, it is divided at the end of a page, and the rest becomes the next range. So the
estimates don't have to be exact.

Every range costs one request for a page that is not full, and its pages are buffered until all
ranges before it are written. Therefore ranges are as long as the buffer allows, and of increasing
length, so that they end one after the other.

A full table is divided before values of the first column of its key, if that column has few, such
as companies. Its pages may be written in any order, so they are not buffered.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from tap_dynamics365.extract.density import Density
from tap_dynamics365.extract.range import Bound, BufferedPage, Range
from tap_dynamics365.odata.key_scale import position
from tap_dynamics365.odata.keyset import folded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_dynamics365.extract.page import Page
    from tap_dynamics365.odata.key_scale import Scale
    from tap_dynamics365.odata.page import RawPage

# Pages of the longest range. A little less than a whole number, because a request for a few rows
# takes as much time as one for a page.
PAGES_PER_RANGE = 3.85
# Pages of the shortest range.
SMALLEST_RANGE = 0.9
# A range that seems to hold this many times the wanted pages is divided.
TOO_WIDE = 1.5


class Ranges:
    """The ranges of one table, in order.

    Args:
        scale: The scale of the replication key; None if the table can't be divided, and is read
            link by link.
        cut_off: Cuts off a page before its last value of the key; returns None if it can't.
        first: The ranges of the rows to read; by default one of all rows.
        in_order: Whether pages are taken in the order of their rows.
        shared_value: Returns the value, as a literal, that all rows of a page share in the first
            column of their order; None if they don't. If it is given, the last range is divided
            before the next value, so that the rows of large groups are fetched in parallel.
    """

    def __init__(
        self,
        scale: Scale | None,
        cut_off: Callable[[RawPage], RawPage | None] | None = None,
        first: Iterable[Range] | None = None,
        *,
        in_order: bool = True,
        shared_value: Callable[[RawPage], str | None] | None = None,
    ) -> None:
        self.scale = scale
        self._cut_off = cut_off
        self._in_order = in_order
        self._shared_value = shared_value
        # The value that all rows of the last page of the last range share.
        self._last_value: str | None = None
        # The values that were divided after.
        self._values: set[str] = set()
        # At first, as many values are looked up as ranges are read in parallel. Later ones may have
        # few rows: then, only a full page of one value shows that a division is worth a request.
        self._looks_ahead = True
        self.maximum: int | None = None
        #: Whether the greatest value of the key is known, or was requested.
        self.has_max_key = scale is None
        self._ranges: deque[Range] = deque([Range()] if first is None else first)
        self._rows_a_page = 0
        # The density of the rows that were written last.
        self._density = Density()

    @property
    def finished(self) -> bool:
        """Whether all pages were fetched and taken."""
        return not self._ranges

    @property
    def needs_max_key(self) -> bool:
        """Whether there is more than one page, so that the greatest value of the key would help."""
        return not self.has_max_key and self._rows_a_page > 0

    def is_head_idle(self) -> bool:
        """Tell whether the first range needs a request: its rows are the next to be written."""
        front = self._ranges[0] if self._ranges else None
        return front is not None and not (front.busy or front.done or front.pages)

    def next(self, parallel: int) -> Range | None:
        """Choose the range to request: the first one without a request in flight.

        Args:
            parallel: How many requests for the table may be in flight.

        Returns:
            The range; None if all ranges have requests in flight. A wide range is divided first.
        """
        for index, waiting in enumerate(self._ranges):
            if not (waiting.busy or waiting.done):
                if parallel > 1:
                    self._divide(index, waiting, parallel)
                return waiting
        return None

    def _density_at(self, index: int) -> Density:
        """Return the density of the rows nearest to the remaining part of a range."""
        known = self._density
        for part in islice(self._ranges, index + 1):
            known = part.density or known
        return known

    def _pages(self, index: int, part: Range) -> float:
        """Estimate how many pages of a range remain; 0 if unknown."""
        density = self._density_at(index)
        if self.maximum is None or part.position is None:
            return 0.0
        if not (density.units and self._rows_a_page):
            return 0.0
        high = min(part.high.position, self.maximum) if part.high else self.maximum
        units = max(0, high - part.position)
        return units * density.rows / density.units / self._rows_a_page

    def _divide(self, index: int, wide: Range, parallel: int) -> None:
        """Divide a range that is likely to hold too many pages."""
        if self.scale is None or wide.low is None or wide.has_begun:
            return
        before = [
            self._pages(i, part)
            for i, part in enumerate(islice(self._ranges, index))
            if not part.done
        ]
        pages = self._pages(index, wide)
        # Near the end of the table, ranges are short, so that all requests end at the same time.
        share = (pages + sum(before)) / parallel
        turn = PAGES_PER_RANGE * (1 + len(before)) / parallel
        wanted = max(SMALLEST_RANGE, min(PAGES_PER_RANGE, turn, share))
        if pages <= TOO_WIDE * wanted:
            return
        density = self._density_at(index)
        width = max(1, int(wanted * self._rows_a_page * density.units / density.rows))
        middle = self.scale.edge(wide.low.position + width)
        if wide.high is None or middle < wide.high.position:
            bound = Bound(middle, self.scale.literal(middle))
            self._ranges.insert(index + 1, Range(low=bound, high=wide.high))
            wide.high = bound

    def accept(self, asked: Range, page: RawPage) -> BufferedPage | None:
        """Accept a page that has arrived.

        Args:
            asked: The range that was requested, as `next` returned it.
            page: The page.

        Returns:
            The buffered page; None if it has no rows.

        Raises:
            ServiceError: It is not a page of rows, or reading can't continue after it.
        """
        index = self._ranges.index(asked)
        self._update_density(index, asked, page)
        if self._pages(index, asked) > TOO_WIDE * PAGES_PER_RANGE:
            page = self._divide_at_page(index, asked, page)
        asked.follow(page)
        # Not before `follow`: a range that can't continue must not be requested again.
        asked.busy = False
        if self._shared_value is not None and asked is self._ranges[-1] and asked.high is None:
            self._last_value = self._shared_value(page)
        if not page.rows:
            return None
        buffered = BufferedPage(page)
        asked.pages.append(buffered)
        return buffered

    def _divide_at_page(self, index: int, asked: Range, page: RawPage) -> RawPage:
        """Divide a range at the end of its page, if the page can be cut off."""
        if self.scale is None or self._cut_off is None:
            return page
        cut = self._cut_off(page)
        if cut is None or cut.cut is None or (at := position(self.scale, cut.cut)) is None:
            return page
        bound = Bound(at, cut.cut)
        self._ranges.insert(index + 1, Range(low=bound, high=asked.high))
        asked.high = bound
        return cut

    def _update_density(self, index: int, asked: Range, page: RawPage) -> None:
        """Note how far a range was read, and the density of its rows."""
        if self.scale is None:
            return
        if not page.is_last:
            self._rows_a_page = max(self._rows_a_page, len(page.rows))
        begin = asked.position
        if begin is None:
            begin = position(self.scale, page.first)
        last = position(self.scale, page.last)
        asked.reached = asked.reached if last is None else last
        whole = page.is_last and asked.high is not None
        end = asked.high.position if whole and asked.high else asked.reached
        if begin is not None and end is not None and end >= begin:
            asked.density = self._density_at(index).updated(len(page.rows), end - begin)

    def value_to_divide_after(self, most: int) -> str | None:
        """Return the value before whose successor the last range is divided, if it is now.

        Args:
            most: The most ranges to read in parallel.

        Returns:
            The value as a literal; `divide_before` must be called then.
        """
        last = self._ranges[-1] if self._ranges else None
        if self._last_value is None or last is None or last.busy or last.done:
            return None
        if sum(not part.done for part in self._ranges) >= most:
            self._looks_ahead = False
            return None
        value, self._last_value = self._last_value, None
        self._values.add(folded(value))
        last.busy = True
        return value

    def divide_before(self, value: str | None) -> None:
        """Divide the last range before a value of the first column.

        Args:
            value: The value as a literal; None if there is no greater one, or if it is not known.
        """
        last = self._ranges[-1]
        last.busy = False
        # A service that sends a value again has another order, or none.
        if value is None or folded(value) in self._values:
            self._shared_value = None
            return
        last.high = Bound(0, value)
        self._ranges.append(Range(low=last.high))
        if self._looks_ahead:
            self._last_value = value

    def _take_any(self) -> Page[Any] | None:
        """Remove and return a page of any range, with the ranges that are left after it."""
        for part in self._ranges:
            page = part.pages[0].page if part.pages else None
            if page is not None:
                part.pages.popleft()
                part.note_sent(page)
                break
        else:
            page = None
        self._ranges = deque(part for part in self._ranges if part.pages or not part.done)
        if page is None:
            return None
        return replace(page, remaining=[part.remaining for part in self._ranges])

    def take(self) -> Page[Any] | None:
        """Remove and return the next page, if it is ready.

        Returns:
            The page; None if none is ready.
        """
        if not self._in_order:
            return self._take_any()
        while self._ranges:
            front = self._ranges[0]
            if front.pages:
                page = front.pages[0].page
                if page is not None:
                    front.pages.popleft()
                return page
            if not front.done:
                return None
            self._density = front.density or self._density
            self._ranges.popleft()
        return None

    @property
    def size(self) -> int:
        """The size in bytes of the pages that were fetched and not yet written."""
        return sum(buffered.size for part in self._ranges for buffered in part.pages)
