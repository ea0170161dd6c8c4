"""Invented values of columns that are not in the key, in the forms of recorded responses.

Nothing is null but an enumeration's number without a member: empty texts are empty, empty dates are
of 1900, dates without a time are at noon, times are seconds after midnight.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.data import pools
from sandbox.data.model import Kind
from sandbox.finance_operations import csdl

if TYPE_CHECKING:
    import random

    from sandbox.data.model import Column
    from sandbox.data.pools import Pools

# The first record ID of a table: above 2**32, as in recorded responses.
FIRST_RECORD = 5_637_144_576
NO_DATE, NO_TIME = "1900-01-01T12:00:00", "1900-01-01T00:00:00"
FOR_EVER = "2154-12-31T23:59:59"
ZERO_GUID = "00000000-0000-0000-0000-000000000000"
# Share of the values of an enumeration that have no member.
SHARE_OF_NULLS = 0.03
# Share of the rows from before the time of change was switched on.
SHARE_OF_OLD = 0.04
FIRST_DAY = datetime(2015, 1, 1)  # noqa: DTZ001  - the store has times without their zone
ODD_TEXTS = (
    'say "hi"',
    "O'Brien",
    "back\\slash",
    "tab\there",
    "two\r\nlines",
    "größe",
    "日本語 🚀",
    "  blanks around  ",
    "<tag/> & more",
    "*",
    "50 % off",
)
# Parts of names of columns, with the pool of their texts.
_POOLS = {
    "email": "email",
    "phone": "phone",
    "city": "city",
    "street": "street",
    "zipcode": "postcode",
    "currency": "currency",
    "language": "language",
    "description": "words",
    "text": "words",
    "name": "names",
}
_SHARE_OF_EMPTY = 3
_DECIMALS = (
    "0",
    "0",
    "200",
    "389.45",
    "-12.5",
    "0.0000000000000001",
    "1234567890.1234567890123456",
)


def no_member(column: Column) -> int:
    """Return a number of an enumeration that has no member."""
    numbers = [option.value for option in column.options.options] if column.options else []
    return 2 * max(numbers, default=0) + 251


def guid(number: int) -> str:
    """Return the GUID of a number; that of 0 is the empty GUID."""
    if not number:
        return ZERO_GUID
    spread = number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128
    digits = f"{spread:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def day(number: int, *, at_noon: bool) -> str:
    """Return the day of a number, the empty date for 0.

    Args:
        number: The number.
        at_noon: Whether the column has dates without a time.
    """
    if not number:
        return NO_DATE if at_noon else NO_TIME
    hours = 12 if at_noon else number * 7 % 24
    return (FIRST_DAY + timedelta(days=number, hours=hours)).isoformat()


class Values:
    """Draws the values of columns from pools.

    Args:
        material: Pools of values.
        rng: Source of random numbers, for the pools.
    """

    def __init__(self, material: Pools, rng: random.Random) -> None:
        self._rng = rng
        self._pools: dict[tuple[str, ...], list[Any]] = {}
        self._texts = {
            **material.texts(),
            "currency": [currency.currency_code for currency in pools.CURRENCIES],
            "language": ["en-US", "de", "da"],
        }

    def draw(self, column: Column, count: int, rng: random.Random) -> list[Any]:
        """Draw the values of a column, as the store has them."""
        name = column.property_name.lower()
        flavour = next((pool for part, pool in _POOLS.items() if part in name), "code")
        ends = any(part in name for part in ("validto", "enddate", "expir"))
        key = (column.edm_type, column.values, flavour, "ends" if ends else "")
        if key not in self._pools:
            self._pools[key] = self._pool(column, flavour, ends=ends)
        return rng.choices(self._pools[key], k=count)

    def _pool(  # noqa: PLR0911  - a rule for each type
        self, column: Column, flavour: str, *, ends: bool
    ) -> list[Any]:
        rng = self._rng
        if column.options:
            numbers = [option.value for option in column.options.options] or [0]
            # The first member is the default, which most rows have.
            many = [*numbers, *[numbers[0]] * len(numbers)] * (1 + 40 // len(numbers))
            return [*many, *[no_member(column)] * max(1, int(len(many) * SHARE_OF_NULLS))]
        if column.edm_type == "Edm.String":
            found = self._texts[flavour]
            odd = [*ODD_TEXTS * 8] if flavour in {"words", "names"} else []
            empty = len(found) // (1 if flavour == "code" else 4)
            return [*found, *odd, *[""] * empty]
        if column.edm_type == "Edm.DateTimeOffset":
            return self._moments(column, ends=ends)
        if column.edm_type == "Edm.Int64":
            records = [FIRST_RECORD + rng.randrange(2**34) for _ in range(50)]
            return [0, 0, 22_565_421_176, *records]
        if column.edm_type == "Edm.Int32":
            if column.values == csdl.TIME:
                return [0, 36_000, *(rng.randrange(86_400) for _ in range(50))]
            return [0, 0, 1, 2, 30, -1, 2**31 - 1, *(rng.randrange(1_000) for _ in range(20))]
        if column.edm_type == "Edm.Decimal":
            return [*_DECIMALS, *(f"{rng.randrange(10**6) / 100:.2f}" for _ in range(100))]
        if column.edm_type == "Edm.Guid":
            return [ZERO_GUID, *(guid(rng.getrandbits(60) + 1) for _ in range(100))]
        if column.edm_type == "Edm.Boolean":
            return [0, 1]
        return ["", *(base64.b64encode(rng.randbytes(n)).decode() for n in range(1, 60))]

    def _moments(self, column: Column, *, ends: bool) -> list[str]:
        rng = self._rng
        span = int((pools.END - pools.START).total_seconds())
        at_noon = column.values == csdl.DATE
        moments = [pools.moment(rng.randrange(span)) for _ in range(500)]
        if column.values == "modified":
            return [*moments, *[NO_TIME] * int(len(moments) * SHARE_OF_OLD)]
        if at_noon:
            moments = [f"{moment[:10]}T12:00:00" for moment in moments]
        special = FOR_EVER if ends else (NO_DATE if at_noon else NO_TIME)
        return [*moments, *[special] * (len(moments) // (1 if ends else _SHARE_OF_EMPTY))]


def is_drawn(column: Column) -> bool:
    """Return whether the values of a column are drawn from a pool."""
    return column.kind is not Kind.HIDDEN and column.values != "version"
