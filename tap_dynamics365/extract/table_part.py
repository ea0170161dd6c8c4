"""Table part: the rows of a table, or of one part of it, on their way to the output."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol

from tap_dynamics365.extract.page import Content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_dynamics365.errors import ServiceError
    from tap_dynamics365.extract.page import Page, Piece
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.reader import TableReader
    from tap_dynamics365.extract.table import TableSpec
    from tap_dynamics365.extract.tally import Outcome
    from tap_dynamics365.odata.page import RawPage


class Decoder(Protocol[Content]):
    """Turns pages as the service sent them into pages that can be written."""

    def page(self, raw: RawPage) -> Page[Content]:
        """Decode a page of rows."""

    def changes(self, raw: RawPage) -> Page[Content]:
        """Decode a page of changes: current rows, and the ids of deleted rows."""


class Owner(Protocol[Content]):
    """The output that all parts of a table share."""

    @property
    def name(self) -> str:
        """The name of the table."""

    def decoder(self, key: str | None = None, version: int | None = None) -> Decoder[Content]:
        """Return what decodes rows.

        Args:
            key: The replication key, if rows are sorted by it.
            version: The table version of the rows.
        """

    def begin(self, page: Page[Content]) -> None:
        """Take note of a page before its rows are written."""

    def write_piece(self, piece: Piece[Content]) -> None:
        """Write the rows of a piece."""

    def write_state(self) -> None:
        """Write the state if it is due."""

    def part_finished(self, part: TablePart[Content], error: ServiceError | None) -> None:
        """End a part, and the table after its last part."""


class TablePart(Generic[Content]):
    """A sink of the engine. A table without parts has one.

    There may be tens of thousands: hundreds of companies, and about a hundred tables in each. So
    the reader exists only while the part is read.

    Args:
        owner: The output of the table.
        spec: What to extract.
        open_reader: Makes the reader.

    Attributes:
        label: The name in messages.
        is_finished: Whether the part was read to its end, was skipped, or failed.
        outcome: How it ended, if nothing failed.
        error: Why it failed, if it did.
        is_incomplete: Whether rows could not be read, so that deleted ones can't be told.
        at_end: What to change in the state once all parts were read.
    """

    def __init__(
        self, owner: Owner[Content], spec: TableSpec, open_reader: Callable[[], TableReader]
    ) -> None:
        self.label = spec.label
        self.is_finished = False
        self.outcome: Outcome | None = None
        self.error: ServiceError | None = None
        self.is_incomplete = False
        self.at_end: Mapping[str, Any] = {}
        self._owner = owner
        self._is_part = spec.is_part
        self._open_reader = open_reader

    @property
    def name(self) -> str:
        """The name of the table."""
        return self._owner.name

    @cached_property
    def reader(self) -> TableReader:
        """Reads the rows."""
        return self._open_reader()

    def close(self) -> None:
        """Note how the part ended, and free what its reader holds."""
        table = self.reader.table
        self.is_finished, self.outcome = True, self.reader.outcome
        self.is_incomplete, self.at_end = table.is_incomplete, table.at_end
        if self._is_part:
            del self.reader

    def decode(self, read: TableRead, page: RawPage) -> Page[Content]:
        """Decode the rows of a page, in any thread.

        Args:
            read: The read that the page belongs to.
            page: The page.

        Returns:
            The page as it can be written.

        Raises:
            ServiceError: The answer is not a page of rows.
        """
        decoder = self._owner.decoder(read.sorted_by, read.version)
        decoded = decoder.page(page) if read.since is None else decoder.changes(page)
        if read.continues_by_key:
            return replace(decoded, end=page.end)
        return replace(decoded, next_link=page.next_link) if read.is_resumable else decoded

    def write(self, page: Page[Content]) -> None:
        """Write the rows of a page, and the state after them.

        Args:
            page: The next page in order.

        Raises:
            UnsortedError: The rows are not in order. None of them was written.
        """
        self.reader.check_order(page)
        self._owner.begin(page)
        for piece in page.pieces:
            self._owner.write_piece(piece)
            self.reader.advance(piece.keys.last)
            self.reader.table.sent(piece.rows)
        self.reader.note_position(page)
        self._owner.write_state()

    def finish(self, error: ServiceError | None = None) -> None:
        """End the part, and the table after its last part.

        Args:
            error: Why the part failed, if it did.
        """
        self.close()
        self._owner.part_finished(self, error)

    # Page by page, without the engine.

    def pages(self, read: TableRead) -> Iterator[Page[Content]]:
        """Fetch the pages of a read one after the other.

        Args:
            read: The read.

        Yields:
            The decoded pages, in the order of their rows.

        Raises:
            ServiceError: The read failed.
        """
        ranges = read.first_ranges()
        while ranges:
            front = ranges[0]
            raw = read.accept(self.reader.pages.fetch(read, front))
            page = self.decode(read, raw)
            front.follow(raw)
            front.note_sent(page)
            ranges = [part for part in ranges if not part.done]
            yield replace(page, remaining=[part.remaining for part in ranges])

    def fetch_sample(self) -> Page[Content]:
        """Fetch a page of at most one row, in any thread.

        Raises:
            ServiceError: The service refused.
        """
        return self._owner.decoder().page(self.reader.pages.fetch_sample())
