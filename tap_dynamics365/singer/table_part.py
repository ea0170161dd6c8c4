"""Table part: the rows of a table, or of one part of it, on their way to the messages."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from tap_dynamics365.singer.encoder import records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from singer_sdk.helpers.types import Record

    from tap_dynamics365.errors import ServiceError
    from tap_dynamics365.extract.page import Page, Piece
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.reader import TableReader
    from tap_dynamics365.extract.table import TableSpec
    from tap_dynamics365.extract.tally import Outcome
    from tap_dynamics365.odata.page import RawPage
    from tap_dynamics365.singer.encoder import Encoder


class Owner(Protocol):
    """The stream that all parts of a table share."""

    @property
    def name(self) -> str:
        """The name of the stream."""

    def encoder(self, key: str | None = None, version: int | None = None) -> Encoder:
        """Return the encoder of rows."""

    def begin(self, page: Page) -> None:
        """Write the SCHEMA message before the first record."""

    def write_piece(self, piece: Piece) -> None:
        """Write the records of a piece."""

    def write_state(self) -> None:
        """Write the state if it is due."""

    def part_finished(self, part: TablePart, error: ServiceError | None) -> None:
        """End a part, and the stream after its last part."""


class TablePart:
    """A sink of the engine. A table without parts has one.

    There may be tens of thousands: hundreds of companies, and about a hundred tables in each. So
    the reader exists only while the part is read.

    Args:
        owner: The stream of the table.
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
        self, owner: Owner, spec: TableSpec, open_reader: Callable[[], TableReader]
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
        """The name of the stream."""
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

    def decode(self, read: TableRead, page: RawPage) -> Page:
        """Encode the rows of a page as RECORD messages, in any thread.

        Args:
            read: The read that the page belongs to.
            page: The page.

        Returns:
            The encoded page.

        Raises:
            ServiceError: The answer is not a page of rows.
        """
        encoder = self._owner.encoder(read.sorted_by, read.version)
        encoded = encoder.page(page) if read.since is None else encoder.changes(page)
        if read.continues_by_key:
            return replace(encoded, end=page.end)
        return replace(encoded, next_link=page.next_link) if read.is_resumable else encoded

    def write(self, page: Page) -> None:
        """Write the records of a page, and the state after them.

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
        """End the part, and the stream after its last part.

        Args:
            error: Why the part failed, if it did.
        """
        self.close()
        self._owner.part_finished(self, error)

    # Record by record, without the engine.

    def pages(self, read: TableRead) -> Iterator[Page]:
        """Fetch the pages of a read one after the other.

        Args:
            read: The read.

        Yields:
            The encoded pages, in the order of their rows.

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

    def fetch_sample(self) -> Record | None:
        """Fetch one row, in any thread.

        Returns:
            The row; None if there is none.

        Raises:
            ServiceError: The service refused.
        """
        page = self.reader.pages.fetch_sample()
        return next(records(self._owner.encoder().page(page)), None)
