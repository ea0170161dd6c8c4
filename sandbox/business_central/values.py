"""Invented values of columns, in the forms of recorded responses.

Nothing is null: blanks are empty texts, zero GUIDs, and dates in the year 1. Milliseconds end in 0,
3 or 7, as SQL Server's `datetime` has them. Decimals have a fraction or none.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.business_central.csdl import CALCULATED
from sandbox.data import pools

if TYPE_CHECKING:
    import random
    from datetime import datetime

    from sandbox.data.model import Column
    from sandbox.data.pools import Pools

NO_GUID = "00000000-0000-0000-0000-000000000000"
NO_DATE, NO_MOMENT = "0001-01-01", "0001-01-01T00:00:00"
SHARE_OF_BLANK = 0.03
SHARE_OF_IMPORT = 0.25
ODD_TEXTS = (
    'say "hi"',
    "O'Brien",
    "back\\slash",
    "two\r\nlines",
    "größe",
    "日本語 🚀",
    "  blanks around  ",
    "<tag/> & more",
)
_DECIMALS = ("0", "0", "1000", "1000.00", "389.45", "-12.5", "0.00001", "1234567890.12345")
_POOLS = {
    "email": "email",
    "phone": "phone",
    "city": "city",
    "addressline": "street",
    "postal": "postcode",
    "currency": "currency",
    "description": "words",
    "comment": "words",
    "name": "names",
}
# Values of columns in the shares that they have.
_FIXED = {
    "lineType": ["Item", "Item", "Item", "Comment", "Account"],
    "contentType": ["image/jpeg"],
    "Blocked": [" ", " ", "Ship", "All"],
    "Document_Type": ["Order", "Quote", "Blanket Order"],
}


def blank(column: Column) -> Any:  # noqa: ANN401, PLR0911  - a cell; a rule for each type
    """Return the value of a column that has none."""
    if column.options:
        return column.options.options[0].label.english if column.options.options else ""
    match column.edm_type:
        case "Edm.String":
            return ""
        case "Edm.Guid":
            return NO_GUID
        case "Edm.Date":
            return NO_DATE
        case "Edm.DateTimeOffset":
            return NO_MOMENT
        case "Edm.Decimal" | "Edm.Double":
            return "0"
        case "Edm.Boolean" | "Edm.Int32" | "Edm.Int64":
            return 0
        case "Edm.Duration":
            return "PT0S"
        case "Edm.TimeOfDay":
            return "00:00:00"
        case _:
            return "[]" if column.is_collection else "{}"


def with_milliseconds(at: datetime) -> str:
    """Return a point in time as SQL Server's `datetime` rounds it, in the form of the store."""
    place = at.microsecond // 1000
    rounded = place - place % 10 + (0, 0, 3, 3, 3, 3, 7, 7, 7, 7)[place % 10]
    fraction = f".{rounded:03d}".rstrip("0").rstrip(".")
    return at.strftime("%Y-%m-%dT%H:%M:%S") + fraction


class Values:
    """Draws the values of columns from pools.

    Args:
        material: Pools of values.
        rng: Source of random numbers, for the pools.
    """

    def __init__(self, material: Pools, rng: random.Random) -> None:
        self._rng = rng
        self._pools: dict[tuple[Any, ...], list[Any]] = {}
        self._texts = {
            **material.texts(),
            "currency": ["", "EUR", "USD", "GBP"],
        }

    def draw(self, column: Column, count: int, rng: random.Random) -> list[Any]:
        """Draw the values of a column, as the store has them."""
        name = column.property_name
        flavour = next((pool for part, pool in _POOLS.items() if part in name.lower()), "code")
        fixed = name if name in _FIXED or name in CALCULATED else ""
        options = column.options.name if column.options else ""
        key = (column.edm_type, options, flavour, column.max_length, fixed, column.values)
        if key not in self._pools:
            self._pools[key] = self._pool(column, flavour)
        cells = rng.choices(self._pools[key], k=count)
        if column.values == "modified":
            # An import gives many rows the same time.
            imported = int(count * SHARE_OF_IMPORT)
            cells[:imported] = [self._pools[key][0]] * imported
            cells[imported : imported + imported // 10] = [NO_MOMENT] * (imported // 10)
        return cells

    def _pool(  # noqa: C901, PLR0911  - a rule for each type
        self, column: Column, flavour: str
    ) -> list[Any]:
        rng, empty = self._rng, blank(column)
        if column.property_name in _FIXED:
            return _FIXED[column.property_name]
        if column.options:
            return [each.label.english for each in column.options.options] + [empty] * 4 or [""]
        match column.edm_type:
            case "Edm.String":
                found = self._texts[flavour]
                odd = [*ODD_TEXTS * 4] if flavour in {"words", "names"} else []
                cut = [text[: column.max_length].strip() for text in found]
                return [*cut, *odd, *[empty] * (len(found) // 4)]
            case "Edm.DateTimeOffset":
                many = [self._moment() for _ in range(400)]
                return [*many, *[empty] * int(len(many) * SHARE_OF_BLANK)]
            case "Edm.Date":
                return [*self._texts["day"][::7], *[empty] * 40]
            case "Edm.Decimal" | "Edm.Double":
                cents = (rng.randrange(10**6) for _ in range(60))
                return [*_DECIMALS * 3, *(f"{cent / 100:g}" for cent in cents)]
            case "Edm.Boolean":
                return [0, 1]
            case "Edm.Int32":
                return [0, 0, 1, 2, 30, *(rng.randrange(1_000) for _ in range(20))]
            case "Edm.Int64":
                return [0, 2**53 + 1, *(rng.getrandbits(62) for _ in range(20))]
            case "Edm.Guid":
                return [NO_GUID, NO_GUID, *(guid(rng) for _ in range(60))]
            case _:
                return [empty]

    def _moment(self) -> str:
        rng = self._rng
        span = int((pools.END - pools.START).total_seconds())
        shift = timedelta(seconds=rng.randrange(span), milliseconds=rng.randrange(1000))
        return with_milliseconds(pools.START + shift)


def guid(rng: random.Random) -> str:
    """Return a GUID like the sequential ones of SQL Server."""
    bits = f"{rng.getrandbits(80):020x}"
    return f"{bits[:8]}-f6f9-ef11-9{bits[8:11]}-6045bd{bits[11:17]}"
