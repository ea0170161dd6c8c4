"""Order check: whether all rows are in the order of their replication key.

A bookmark says that all rows up to it were sent. That is true only if rows come in order. The data
provider of a virtual table may ignore the requested order.
"""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.extract.page import Keys
from tap_dynamics365.odata.key_scale import Days, Moments, Numbers, position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msgspec import Raw

    from tap_dynamics365.odata.key_scale import Scale
    from tap_dynamics365.odata.page import Value

# Decoders that read many values of a key at once, if all are valid.
FAST: dict[Scale, msgspec.json.Decoder[list[Any]]] = {
    Moments: msgspec.json.Decoder(list[datetime]),
    Days: msgspec.json.Decoder(list[date]),
    Numbers: msgspec.json.Decoder(list[int]),
}

_encode = msgspec.json.Encoder().encode
_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)


def inspect_keys(values: Sequence[Raw | Value], scale: Scale) -> Keys:
    """Inspect the replication keys of rows, in the order in which the service sent them.

    Nulls, empty texts and unreadable values (a year after 9999, a number instead of a date) have no
    place in the order and are skipped. Such a row is sent like any other, but no bookmark is taken
    from it.

    Args:
        values: The value of each row, in JSON or as it was read.
        scale: The scale of the key.
    """
    text = _encode(values)
    return _sorted(text, values, scale) or _each(_any.decode(text), scale)


def _sorted(text: bytes, values: Sequence[Raw | Value], scale: Scale) -> Keys | None:
    """Inspect values quickly; return None unless all can be read and are in order."""
    try:
        found = FAST[scale].decode(text)
        in_order = bool(found) and found == sorted(found)
    except (msgspec.ValidationError, TypeError):
        # TypeError: some dates have a time zone, others don't.
        return None
    if not in_order:
        return None
    first, last = (_any.decode(_encode(value)) for value in (values[0], values[-1]))
    least, greatest = position(scale, first), position(scale, last)
    return None if least is None or greatest is None else Keys(least, greatest, last)


def _each(values: Sequence[Any], scale: Scale) -> Keys:
    """Inspect values one by one."""
    known: list[tuple[int, Value]] = []
    unreadable = None
    for value in values:
        at = position(scale, value)
        if at is not None:
            known.append((at, value))
        elif unreadable is None and value is not None and value != "":
            unreadable = _encode(value).decode()
    has_nulls = None in values
    if not known:
        return Keys(has_nulls=has_nulls, unreadable=unreadable)
    out_of_order = next((value for (at, _), (then, value) in pairwise(known) if then < at), None)
    least = min(at for at, _ in known)
    return Keys(
        least, *known[-1], out_of_order=out_of_order, has_nulls=has_nulls, unreadable=unreadable
    )
