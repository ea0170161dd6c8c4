"""Table part: the rows of a table, or of one part of it, on their way to the messages."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from tap_dynamics365.extract import order
from tap_dynamics365.singer.encoder import Encoder, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from msgspec import Raw
    from singer_sdk.helpers.types import Record

    from tap_dynamics365.errors import ServiceError
    from tap_dynamics365.extract.page import Keys, Page, Piece
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.reader import TableReader
    from tap_dynamics365.extract.table import TableSpec
    from tap_dynamics365.odata.page import RawPage


class Owner(Protocol):
    """The stream that all parts of a table share."""

    @property
    def name(self) -> str:
        """The name of the stream."""

    def new_encoder(
        self,
        spec: TableSpec,
        key: str | None,
        version: int | None,
        inspect_keys: Callable[[Sequence[Raw | None]], Keys] | None,
    ) -> Encoder:
        """Make an encoder of rows."""

    def begin(self, page: Page) -> None:
        """Write the SCHEMA message before the first record."""

    def write_piece(self, piece: Piece) -> None:
        """Write the records of a piece."""

    def write_state(self) -> None:
        """Write the state if it is due."""

    def part_finished(self, part: TablePart) -> None:
        """End a part, and the stream after its last part."""


class TablePart:
    """A sink of the engine. A table without parts has one.

    Args:
        owner: The stream of the table.
        reader: Reads the rows; kept as an attribute.

    Attributes:
        is_finished: Whether the part was read to its end, was skipped, or failed.
        error: Why it failed, if it did.
    """

    def __init__(self, owner: Owner, reader: TableReader) -> None:
        self.reader = reader
        self.table = reader.table
        self.is_finished = False
        self.error: ServiceError | None = None
        self._owner = owner
        self._encoders: dict[tuple[str | None, int | None], Encoder] = {}

    @property
    def name(self) -> str:
        """The name of the stream."""
        return self._owner.name

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
        encoder = self.encoder(read.sorted_by, read.version)
        encoded = encoder.page(page) if read.since is None else encoder.changes(page)
        if read.continues_by_key:
            return replace(encoded, end=page.end)
        return replace(encoded, next_link=page.next_link) if read.is_resumable else encoded

    def encoder(self, key: str | None = None, version: int | None = None) -> Encoder:
        """Return the encoder of rows.

        Args:
            key: The replication key, if rows are sorted by it.
            version: The table version that records carry.
        """
        if (key, version) not in self._encoders:
            self._encoders[key, version] = self._owner.new_encoder(
                self.table.spec, key, version, self._inspect_keys
            )
        return self._encoders[key, version]

    @cached_property
    def _inspect_keys(self) -> Callable[[Sequence[Raw | None]], Keys] | None:
        scale = self.table.scale
        return None if scale is None else lambda values: order.inspect_keys(values, scale)

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
            self.table.sent(piece.rows)
        self.reader.note_position(page)
        self._owner.write_state()

    def finish(self, error: ServiceError | None = None) -> None:
        """End the part, and the stream after its last part.

        Args:
            error: Why the part failed, if it did.
        """
        self.is_finished, self.error = True, error
        self._owner.part_finished(self)

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
        return next(records(self.encoder().page(page)), None)
