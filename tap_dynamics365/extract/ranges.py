"""One table's pages in order, some of them fetched side by side.

The first load of a large table is cut into ranges of the replication key. How wide they are is
learnt from the rows themselves: each page tells how many rows there are to a unit of the key. A
range that turns out to hold much more is cut where its page ends, and the rest of it becomes a
range of its own, next in order; so the widths need not be right, only useful.

Every range costs a request that brings less than a page, and what is fetched of it waits until
all before it is written. So ranges are as long as what waits allows, and end one after another:
the first in flight are short, those behind them longer.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from tap_dynamics365.extract.density import Density
from tap_dynamics365.extract.range import Bound, BufferedPage, Range
from tap_dynamics365.odata.key_scale import position

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_dynamics365.extract.page import Page
    from tap_dynamics365.odata.key_scale import Scale
    from tap_dynamics365.odata.page import RawPage

# The longest range is made for so many pages, read one behind the other: a little less than whole
# ones, for a few rows cost as much time as a page of them.
PAGES_PER_RANGE = 3.85
# Pages of the shortest.
SMALLEST_RANGE = 0.9
# A range that seems to hold so many times what it was made for is divided.
TOO_WIDE = 1.5


class Ranges:
    """What of a table is fetched, is on its way, and is to be asked for.

    Args:
        scale: How values of the replication key can be divided; None if they can't, and the table
            is read link by link.
        cut_off: Cuts a page before its last value of the key, or gives None where it can't.
    """

    def __init__(
        self,
        scale: Scale | None,
        cut_off: Callable[[RawPage], RawPage | None] | None = None,
    ) -> None:
        self.scale = scale
        self._cut_off = cut_off
        self.maximum: int | None = None
        #: Whether the greatest value of the key is known, or was asked for.
        self.has_max_key = scale is None
        self._ranges: deque[Range] = deque([Range()])
        self._rows_a_page = 0
        # How densely rows lie before those that were not written.
        self._density = Density()

    @property
    def finished(self) -> bool:
        """Whether everything was fetched and handed out."""
        return not self._ranges

    @property
    def needs_max_key(self) -> bool:
        """Whether there is more than a page, and the key's greatest value would help."""
        return not self.has_max_key and self._rows_a_page > 0

    def is_head_idle(self) -> bool:
        """Tell whether nothing is under way for what has to be written next."""
        front = self._ranges[0] if self._ranges else None
        return front is not None and not (front.busy or front.done or front.pages)

    def next(self, parallel: int) -> Range | None:
        """Choose what to ask for: the earliest range that waits.

        Args:
            parallel: How many requests there may be for the table at once.

        Returns:
            The range, or None if each has a request on its way. Of a wide one only the
            beginning is given; the rest of it waits on.
        """
        for index, waiting in enumerate(self._ranges):
            if not (waiting.busy or waiting.done):
                if parallel > 1:
                    self._divide(index, waiting, parallel)
                return waiting
        return None

    def _density_at(self, index: int) -> Density:
        """Tell how densely rows lie nearest before what is to be fetched of a range."""
        known = self._density
        for part in islice(self._ranges, index + 1):
            known = part.density or known
        return known

    def _pages(self, index: int, part: Range) -> float:
        """Estimate how many pages of a range are still to be fetched; none where none can tell."""
        density = self._density_at(index)
        if self.maximum is None or part.position is None:
            return 0.0
        if not (density.units and self._rows_a_page):
            return 0.0
        high = min(part.high.position, self.maximum) if part.high else self.maximum
        units = max(0, high - part.position)
        return units * density.rows / density.units / self._rows_a_page

    def _divide(self, index: int, wide: Range, parallel: int) -> None:
        """Divide a range that is likely to hold too much."""
        if self.scale is None or wide.low is None or wide.has_begun:
            return
        before = [
            self._pages(i, part)
            for i, part in enumerate(islice(self._ranges, index))
            if not part.done
        ]
        pages = self._pages(index, wide)
        # Near the table's end, no more than all requests in flight are at an end with together.
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
        """Take in a page that has arrived.

        Args:
            asked: The range that it was asked for, as `next` gave it.
            page: The page.

        Returns:
            What is to become ready to be written, if there are rows.

        Raises:
            ServiceError: It leads back to where the range has been, or to nowhere, or is no page
                of rows.
        """
        index = self._ranges.index(asked)
        self._update_density(index, asked, page)
        if self._pages(index, asked) > TOO_WIDE * PAGES_PER_RANGE:
            page = self._divide_at_page(index, asked, page)
        asked.follow(page)
        # Not before: what can't be gone on with is not to be asked for again.
        asked.busy = False
        if not page.rows:
            return None
        buffered = BufferedPage(page)
        asked.pages.append(buffered)
        return buffered

    def _divide_at_page(self, index: int, asked: Range, page: RawPage) -> RawPage:
        """Have the rest of a range become one of its own, where its page can be cut off there."""
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
        """Note how far a range is read, and how densely rows lie there."""
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

    def take(self) -> Page | None:
        """Give the page that is next in order, if it is ready.

        Returns:
            The page, which is not held here any more.
        """
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
        """Bytes that were fetched and not yet written."""
        return sum(buffered.size for part in self._ranges for buffered in part.pages)
