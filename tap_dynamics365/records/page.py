"""A page of rows, ready to be written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = str | int | None

# What is cut off a page is fetched again.
MOST_OF_A_PAGE = 0.8


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a page.

    Attributes:
        lines: RECORD messages, each with its line end.
        rows: How many.
        last: Value of the replication key in the last of them, if the stream has one.
    """

    lines: bytes
    rows: int
    last: Value


@dataclass(frozen=True, slots=True)
class Page:
    """A page ready to be written.

    Attributes:
        pieces: Its rows.
        rows: How many the page holds.
        sent: How many the service had sent, before the page was cut.
        size: Bytes that it takes.
        first: Value of the replication key in the first row.
        last: The same in the last row.
        next_link: Where the rows after it are, if there are more; None for a page that was cut.
        before_last: How many pieces hold the rows before those that share the last value.
        cut: Where the page was cut: it holds the rows before this value of the key.
        delta_token: What to ask with for the changes since; behind the last page of a tracked
            table.
        metadata_version: Changes with every change to any table's definition, where it was asked
            for.
        asked: How many rows were asked for.
        end: The columns that rows are sorted by, each with its literal in the last row, where the
            rows behind it can be asked for so.
    """

    pieces: tuple[Piece, ...]
    rows: int
    sent: int
    size: int
    first: Value
    last: Value
    next_link: str | None
    before_last: int = 0
    cut: Value = None
    delta_token: str | None = None
    metadata_version: str | int | None = None
    asked: int = 0
    end: Mapping[str, str | None] | None = None

    def cut_off(self) -> Page | None:
        """Leave out the rows that share the last value of the replication key.

        The rows from there on can then be asked for by that value, side by side, instead of by
        the link.

        Returns:
            The page without them; None if it is the last, or not much would be left of it.
        """
        pieces = self.pieces[: self.before_last]
        rows = sum(piece.rows for piece in pieces)
        if self.next_link is None or rows < max(1, MOST_OF_A_PAGE * self.rows):
            return None
        size = sum(len(piece.lines) for piece in pieces)
        return replace(
            self,
            pieces=pieces,
            rows=rows,
            size=size,
            last=pieces[-1].last,
            next_link=None,
            cut=self.last,
        )
