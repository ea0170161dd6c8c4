"""Text table: columns of text that fit into the width of a terminal."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from tap_dynamics365.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: Characters in a line.
WIDTH = 100
# Between two columns, and at the end of a text that is cut off.
GAP, MORE = "  ", "…"
# A column is not made narrower than this, so that columns with short values stay as they are.
NARROWEST = 8


def text_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Iterable[int] = (),
    whole: Iterable[int] = (),
) -> Iterator[str]:
    """Lay out rows under headings.

    Args:
        headings: The heading of each column. There may be at most nine.
        rows: The texts of each row. They are cut off if they don't fit.
        right: The numbers of the columns that are aligned to the right.
        whole: The numbers of the columns that are never cut off.

    Yields:
        The lines. Without the columns that are never cut off, none is wider than `WIDTH`.
    """
    lines = [[*headings], *([printable(text) for text in row] for row in rows)]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    others = [number for number in range(len(widths)) if number not in {*whole}]
    for number, fitted in zip(others, _fitted([widths[n] for n in others]), strict=True):
        widths[number] = fitted
    to_right = {*right}
    for line in lines:
        texts = (
            _padded(text, most, to_right=number in to_right)
            for number, (text, most) in enumerate(zip(line, widths, strict=True))
        )
        yield GAP.join(texts).rstrip()


def columns_that_fit(columns: Sequence[Sequence[str]]) -> int:
    """Return how many columns fit side by side.

    Args:
        columns: The texts of each column, with its heading.
    """
    left, fitting = WIDTH, 0
    for column in columns:
        left -= min(max(map(width, map(printable, column)), default=0), 3 * NARROWEST) + len(GAP)
        if left < -len(GAP):
            break
        fitting += 1
    return max(1, fitting)


def width(text: str) -> int:
    """Return the width of a text in a terminal, where characters of East Asia take two places.

    Args:
        text: The text, without control characters.
    """
    return sum(map(_places, text))


def _places(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _fitted(widths: list[int]) -> list[int]:
    """Make the widest columns narrower until all fit side by side, the first one last."""
    room = WIDTH - len(GAP) * (len(widths) - 1)
    first, *others = widths
    while first + sum(others) > room and max(others, default=0) > NARROWEST:
        others[others.index(max(others))] -= 1
    return [min(first, room - sum(others)), *others]


def _padded(text: str, most: int, *, to_right: bool) -> str:
    """Cut off a text, or add blanks, so that it has a width."""
    if width(text) > most:
        kept = ""
        for character in text:
            if width(kept) + _places(character) > most - width(MORE):
                break
            kept += character
        text = kept + MORE
    blanks = " " * (most - width(text))
    return blanks + text if to_right else text + blanks
