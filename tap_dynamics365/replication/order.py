"""Whether rows come in the order of their replication key: every row is looked at.

A bookmark says that all rows up to it were sent. That is true only of rows that were sent in its
order, and the provider of a virtual table may ignore the order that it was asked for.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.records.page import Keys
from tap_dynamics365.replication.keys import Numbers, position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.records.page import Value
    from tap_dynamics365.replication.keys import Scale

NULL, EMPTY = b"null", b'""'
# A date, or a moment in UTC, in JSON: of those of one length the order is that of the texts.
PLAIN = re.compile(rb'"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?Z)?"')
DIGITS = b"0123456789"

_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)


def look(texts: Sequence[bytes], scale: Scale) -> Keys:
    """Look at the replication key of rows, in the order in which the service sent them.

    Values that are null, an empty text, or nothing that can be read as a value of the key (a year
    after 9999, a number in place of a date) have no place in the order and are passed over: such
    a row is sent like any other, and no bookmark is taken from it.

    Args:
        texts: The value of each row in JSON.
        scale: How values of the key are reckoned with.
    """
    if scale is Numbers:
        return _numbers(texts) or _each(texts, scale)
    return _dates(texts, scale) or _each(texts, scale)


def _numbers(texts: Sequence[bytes]) -> Keys | None:
    """Look at whole numbers; give nothing unless all are, and in order."""
    try:
        numbers = list(map(int, texts))
    except ValueError:
        return None
    if not numbers or numbers != sorted(numbers):
        return None
    return Keys(numbers[0], numbers[-1], numbers[-1])


def _dates(texts: Sequence[bytes], scale: Scale) -> Keys | None:
    """Compare dates as texts; give nothing unless all are alike, and in order."""
    if not texts or PLAIN.fullmatch(texts[0]) is None or texts != sorted(texts):
        return None
    shape, joined = texts[0], b"".join(texts)
    if len(joined) != len(shape) * len(texts):
        return None
    # What is no digit stands at the same place in each.
    for place, sign in enumerate(shape):
        if sign not in DIGITS and joined[place :: len(shape)] != bytes([sign]) * len(texts):
            return None
    first: Value = _any.decode(shape)
    last: Value = _any.decode(texts[-1])
    least, greatest = position(scale, first), position(scale, last)
    if least is None or greatest is None:
        return None
    return Keys(least, greatest, last)


def _each(texts: Sequence[bytes], scale: Scale) -> Keys:
    """Look at values one by one."""
    known: list[tuple[int, Value]] = []
    has_nulls, unread = NULL in texts, None
    for text in texts:
        value: Value = _any.decode(text)
        at = position(scale, value)
        if at is not None:
            known.append((at, value))
        elif unread is None and text not in {NULL, EMPTY}:
            unread = text.decode()
    if not known:
        return Keys(has_nulls=has_nulls, unread=unread)
    wrong = next((value for (at, _), (then, value) in pairwise(known) if then < at), None)
    return Keys(
        min(at for at, _ in known), *known[-1], wrong=wrong, has_nulls=has_nulls, unread=unread
    )
