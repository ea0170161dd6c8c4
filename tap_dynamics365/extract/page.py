"""A page of rows, ready to be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_dynamics365.odata.page import Value


@dataclass(frozen=True, slots=True)
class Keys:
    """The replication key in some rows that are next to each other.

    Attributes:
        least: The smallest value as a number; None where none can be read.
        greatest: That of the last row whose value can be read.
        last: The same as the service wrote it.
        wrong: A value behind a greater one, if there is such.
        has_nulls: Whether there is a row without a value.
        unread: A value in JSON that is not null and can't be read, if there is such.
        is_absent: Whether the rows do not have the column at all.
    """

    least: int | None = None
    greatest: int | None = None
    last: Value = None
    wrong: Value = None
    has_nulls: bool = False
    unread: str | None = None
    is_absent: bool = False


NO_KEYS = Keys()


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a page.

    Attributes:
        lines: RECORD messages, each with its line end.
        rows: How many.
        keys: The replication key in them, where they are sorted by it.
    """

    lines: bytes
    rows: int
    keys: Keys = NO_KEYS


@dataclass(frozen=True, slots=True)
class Page:
    """A page ready to be written.

    Attributes:
        pieces: Its rows.
        size: Bytes that it takes.
        has_deletions: Whether records of deleted rows are among its rows.
    """

    pieces: tuple[Piece, ...]
    size: int
    has_deletions: bool = False
