"""A part of a table: where it lies, how far it was read, and what of it waits to be written."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_dynamics365.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.extract.density import Density
    from tap_dynamics365.extract.page import Page
    from tap_dynamics365.odata.page import RawPage


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
class BufferedPage:
    """A page that has arrived and is not yet written.

    Attributes:
        raw: The page as it was sent, until it is encoded.
        page: The encoded page.
    """

    raw: RawPage | None
    page: Page | None = None

    def set_encoded(self, page: Page) -> None:
        """Replace the raw page by the encoded one.

        Args:
            page: The encoded page.
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
        by_values: Whether the rows behind can be asked for by their values alone, without a link.
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
    by_values: bool = False
    asked: int = 0
    end: Mapping[str, str | None] | None = None
    busy: bool = False
    done: bool = False
    reached: int | None = None
    density: Density | None = None
    pages: deque[BufferedPage] = field(default_factory=deque)
    _followed: int = 0
    _kept: str | None = None

    def follow(self, page: RawPage) -> None:
        """Go on behind a page.

        Args:
            page: The page.

        Raises:
            ServiceError: It leads back to where the range has been, or to nowhere.
        """
        if page.more:
            self._continue_by_values(page)
        elif page.next_link is not None:
            self._check_link(page.next_link)
        if page.rows:
            self.end = page.end
        self.link = page.next_link
        self.asked = page.asked
        self.by_values = page.more
        self.done = page.is_last

    def _check_link(self, link: str) -> None:
        """Raise if the service has sent a link before, and would do so for ever.

        Of the links that were followed two are kept: the last, and the one whose number is the
        last power of two. So a loop of any length is found, at the latest after twice as many
        links, and memory does not grow with them (Brent's algorithm).
        """
        if link in {self.link, self._kept}:
            msg = (
                "The service sent the same link to a next page twice; following it would never "
                "end. Run again; if it stays so, choose another fetch_size."
            )
            raise ServiceError(msg)
        self._followed += 1
        if self._followed.bit_count() == 1:
            self._kept = link

    def _continue_by_values(self, page: RawPage) -> None:
        """Raise if the rows behind a page that has no link can't be asked for by their values."""
        end = page.end if page.rows else self.end
        if end is None:
            msg = (
                "The service says that there are more rows, but gives no link to them, and they "
                "can't be asked for by the values of a key: the table is not read any further. "
                "Replicate it INCREMENTAL, or choose a fetch_size that all its rows fit in."
            )
            raise ServiceError(msg)
        if self.by_values and end == self.end:
            msg = (
                "The service says that there are more rows, but gives no link to them, and the "
                "same rows again when it is asked for those behind: the table is not read any "
                "further. Choose another fetch_size."
            )
            raise ServiceError(msg)

    @property
    def position(self) -> int | None:
        """Where what is still to be fetched begins, if that is known."""
        return self.low.position if self.reached is None and self.low else self.reached

    def rows_by_link(self, rows: int, *, is_keyset_link: bool) -> int:
        """Limit how many rows are asked for with the link.

        Args:
            rows: How many are wanted.
            is_keyset_link: Whether the link names the row after which it continues. A service that
                counts pages instead passes over rows if pages become larger; smaller ones only
                send some rows again.

        Returns:
            How many to ask for.
        """
        return rows if is_keyset_link else min(rows, self.asked)

    @property
    def has_begun(self) -> bool:
        """Whether a page of it was fetched, and it is not at its end."""
        return self.link is not None or self.by_values
