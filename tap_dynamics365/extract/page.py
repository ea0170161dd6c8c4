"""Page: decoded rows that are ready to be written, in the form that their sink writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_dynamics365.odata.page import Value

#: Rows in the form that a sink writes: the bytes of RECORD messages, or a record batch.
Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class Keys:
    """The values of the replication key in consecutive rows.

    Attributes:
        least: The smallest value as a number; None if no value can be read.
        greatest: The value of the last row whose value can be read, as a number.
        last: The same value, as the service wrote it.
        out_of_order: A value that follows a greater value, if there is one.
        has_nulls: Whether there is a row without a value.
        unreadable: A value in JSON that is not null and can't be read, if there is one.
        is_absent: Whether no row has the column.
    """

    least: int | None = None
    greatest: int | None = None
    last: Value = None
    out_of_order: Value = None
    has_nulls: bool = False
    unreadable: str | None = None
    is_absent: bool = False


NO_KEYS = Keys()


@dataclass(frozen=True, slots=True)
class Piece(Generic[Content]):
    """A part of a page.

    Attributes:
        content: The rows in the form that the sink writes.
        rows: The number of rows.
        keys: The values of the replication key, if rows are sorted by it.
    """

    content: Content
    rows: int
    keys: Keys = NO_KEYS


@dataclass(frozen=True, slots=True)
class Page(Generic[Content]):
    """A page ready to be written.

    Attributes:
        pieces: The rows, in pieces.
        size: The size in bytes.
        end: The key values of the last row, if reading can continue after it.
        next_link: The link to the next page, if reading can continue by it.
        remaining: The ranges that are left once the page is sent, if the state notes them.
        has_deletions: Whether there are deleted rows.
    """

    pieces: tuple[Piece[Content], ...]
    size: int
    end: Mapping[str, str | None] | None = None
    next_link: str | None = None
    remaining: Sequence[Mapping[str, Any]] | None = None
    has_deletions: bool = False
