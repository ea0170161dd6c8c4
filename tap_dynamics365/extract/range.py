"""Range: a part of a table, its progress, and its buffered pages."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_dynamics365.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from msgspec import Raw

    from tap_dynamics365.extract.density import Density
    from tap_dynamics365.extract.page import Page
    from tap_dynamics365.odata.page import RawPage


SENT_AGAIN = (
    "The service says that there are more rows, but gives no link to them. If the next "
    "rows are requested, it sends the same rows again. The rest of the table is not "
    "read. Choose another fetch_size."
)


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a range begins or ends.

    Attributes:
        position: The value of the key as a number.
        literal: The value of the key for a query.
    """

    position: int
    literal: str | int


@dataclass(slots=True, eq=False)
class BufferedPage:
    """A page that has arrived and is not yet written.

    Attributes:
        raw: The page as it was sent, until it is decoded.
        page: The decoded page.
    """

    raw: RawPage | None
    page: Page[Any] | None = None

    def set_decoded(self, page: Page[Any]) -> None:
        """Replace the raw page by the decoded one.

        Args:
            page: The decoded page.
        """
        self.raw, self.page = None, page

    @property
    def size(self) -> int:
        """The size in bytes."""
        if self.page is not None:
            return self.page.size
        return len(self.raw.body) if self.raw is not None else 0


@dataclass(slots=True, eq=False)
class Range:
    """The rows from one value of the key up to, not including, another.

    Attributes:
        low: Where the range begins; None for the start of the read.
        high: Where the range ends; None for the end of the table.
        link: The link to the next page, if there is one.
        by_values: Whether there are more rows without a link, so that they are requested by values.
        asked: The page size that the link belongs to.
        end: The key values of the last fetched row, if the rest can be requested by them.
        skip: How many rows after that row were fetched, too.
        fetched: How many rows were fetched.
        sent: The key values of the last row that was sent, if the next run can continue after it.
        sent_link: The link after the last page that was sent, if the next run can follow it.
        tie: The key values of the last fetched row, while the rows with its value of the first
            column are requested; see `PageReader`.
        busy: Whether a request for the range is in flight.
        done: Whether all rows were fetched.
        reached: The key value of the last fetched row, as a number.
        density: How many rows there are per unit of the key.
        pages: The pages that were fetched and not yet written.
    """

    low: Bound | None = None
    high: Bound | None = None
    link: str | None = None
    by_values: bool = False
    asked: int = 0
    end: Mapping[str, str | None] | None = None
    skip: int = 0
    fetched: int = 0
    sent: Mapping[str, str | None] | None = None
    sent_link: str | None = None
    tie: Mapping[str, str | None] | None = None
    busy: bool = False
    done: bool = False
    reached: int | None = None
    density: Density | None = None
    pages: deque[BufferedPage] = field(default_factory=deque)
    _followed: int = 0
    _kept: str | None = None
    _group: Raw | None = None

    def follow(self, page: RawPage) -> None:
        """Move on to the rows after a page.

        Args:
            page: The page.

        Raises:
            ServiceError: The next rows can't be requested, or the page leads back.
        """
        if page.more:
            self._continue_by_values(page)
        elif page.next_link is not None:
            self._check_link(page.next_link)
        if page.group_rows:
            self._group = page.rows[0]
            self.skip += page.group_rows
        elif page.rows:
            self.end, self.skip = page.end, 0
        self.fetched += len(page.rows)
        self.link = page.next_link
        self.asked = page.asked
        self.by_values = page.more
        self.done = page.is_last
        if self.tie is not None and page.is_last:
            # The rows with greater values are left.
            first = next(iter(self.tie))
            self.end, self.skip = {first: self.tie[first]}, 0
            self.by_values, self.done, self.tie = True, False, None

    def _check_link(self, link: str) -> None:
        """Raise if the service has sent a link before, which would be an endless loop.

        Two of the followed links are kept: the last one, and the one whose number is the last power
        of two. This finds a loop of any length after at most twice as many links, with constant
        memory (Brent's algorithm).
        """
        if link in {self.link, self._kept}:
            msg = (
                "The service sent the same link to a next page twice. Following it would never "
                "end. Run again. If that does not help, choose another fetch_size."
            )
            raise ServiceError(msg)
        self._followed += 1
        if self._followed.bit_count() == 1:
            self._kept = link

    def _continue_by_values(self, page: RawPage) -> None:
        """Raise if the rows after a page without a link can't be requested by values."""
        if page.group_rows:
            if page.rows[0] == self._group:
                raise ServiceError(SENT_AGAIN)
            return
        end = page.end if page.rows else self.end
        if end is None:
            msg = (
                "The service says that there are more rows, but gives no link to them, and they "
                "can't be requested by key values. The rest of the table is not read. Replicate it "
                "INCREMENTAL, or choose a fetch_size that all its rows fit in."
            )
            raise ServiceError(msg)
        if self.by_values and end == self.end:
            raise ServiceError(SENT_AGAIN)

    def note_sent(self, page: Page[Any]) -> None:
        """Note that a page was sent.

        Args:
            page: The page.
        """
        self.sent = page.end or self.sent
        self.sent_link = page.next_link

    @property
    def position(self) -> int | None:
        """Where the remaining rows begin, as a number; None if unknown."""
        return self.low.position if self.reached is None and self.low else self.reached

    def rows_by_link(self, rows: int, *, is_keyset_link: bool) -> int:
        """Limit the page size of a request that follows the link.

        Args:
            rows: The wanted page size.
            is_keyset_link: Whether the link names the row after which it continues. A service that
                counts pages instead would skip rows if pages became larger. With smaller pages, it
                only sends some rows again.

        Returns:
            The page size to request.
        """
        # A link from an earlier run belongs to a page size that is not known.
        return rows if is_keyset_link or not self.asked else min(rows, self.asked)

    @classmethod
    def restored(cls, remaining: Mapping[str, Any], columns: Sequence[str]) -> Range:
        """Make the range of the rows that an interrupted read has not sent.

        Args:
            remaining: What `remaining` returned.
            columns: The columns by whose values reading continues.
        """
        low, high, values, link = (remaining.get(name) for name in ("from", "to", "after", "link"))
        after = None if values is None else dict(zip(columns, values, strict=True))
        return cls(
            low=None if low is None else Bound(0, low),
            high=None if high is None else Bound(0, high),
            end=after,
            sent=after,
            sent_link=link,
            link=link,
            by_values=after is not None,
        )

    @property
    def remaining(self) -> dict[str, Any]:
        """The rows that were not sent, as kept in the state.

        `after` has the key values of the last row that was sent, as literals in the order of the
        columns; `from` and `to` are bounds of the first column. `link` leads to the next page, if
        reading continues by links.
        """
        low, high = (bound and bound.literal for bound in (self.low, self.high))
        after = None if self.sent is None else [*self.sent.values()]
        values = {"after": after, "from": low, "to": high, "link": self.sent_link}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def has_begun(self) -> bool:
        """Whether a page was fetched, and there are more."""
        return self.link is not None or self.by_values
