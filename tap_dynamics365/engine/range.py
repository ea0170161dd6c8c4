"""A part of a table: where it lies, how far it was read, and what of it waits to be written."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tap_dynamics365.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.engine.density import Density
    from tap_dynamics365.records.page import Page
    from tap_dynamics365.records.raw_page import RawPage

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
class Arrival:
    """A page that has arrived and is not written.

    Attributes:
        raw: As it was sent, until it is ready to be written.
        page: Ready to be written.
    """

    raw: RawPage | None
    page: Page | None = None

    def become(self, page: Page) -> None:
        """Be ready.

        Args:
            page: What is to be written; the page as it was sent is let go of.
        """
        self.raw, self.page = None, page

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        if self.page is not None:
            return self.page.size
        return len(self.raw.body) if self.raw is not None else 0


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
        reached: Up to where it was.
        density: How densely rows lie there.
        pages: What was fetched and not yet written.
    """

    low: Bound | None = None
    high: Bound | None = None
    link: str | None = None
    asked: int = 0
    end: Mapping[str, str | None] | None = None
    busy: bool = False
    done: bool = False
    reached: int | None = None
    density: Density | None = None
    pages: deque[Arrival] = field(default_factory=deque)
    _links: set[str] = field(default_factory=set)

    def follow(self, page: RawPage) -> None:
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
        if page.rows:
            self.end = page.end
        self.done = link is None
        if link is not None:
            self._links.add(link)

    @property
    def position(self) -> int | None:
        """Where what is still to be fetched begins, if that is known."""
        return self.low.position if self.reached is None and self.low else self.reached

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
