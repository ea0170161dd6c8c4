"""A page of rows, ready to be written."""

from __future__ import annotations

from dataclasses import dataclass

Value = str | int | None


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
        size: Bytes that it takes.
    """

    pieces: tuple[Piece, ...]
    size: int
