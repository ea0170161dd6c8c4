"""Invented keys: unique within a company, with everything that is allowed in a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.data.model import Kind
from sandbox.finance_operations import companies, csdl, values
from sandbox.finance_operations.csdl import COMPANY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.data.model import Column, Table

# Shares of the companies, as places in a cycle.
CYCLE = ("usmf", "ussi", "usmf", "demf", "usmf", "dat", "usmf", "ussi", "gbsi", "usmf")
# Columns of a key that count; those before them repeat a few values.
COUNTING = 3
# How often a counting column but the first one repeats before the one before it counts on.
RADIX = 4
# One row in so many has a number in an enumeration's column of the key that has no member.
ODD = 37
assert set(CYCLE) == companies.NAMES.keys()  # noqa: S101  - two constants
# Beginnings of texts, by the number of the row: with a wildcard, quotes, letters in both cases,
# blanks, and characters that a URL encodes.
_STYLES = {
    3: ("c-", ""),
    5: ("C*", ""),
    8: ("O'C-", ""),
    11: ("Ü-", ""),
    13: ("ü-", ""),
    17: (" C-", ""),
    19: ("C-", " "),
    23: ("C/D&E-", ""),
    29: ("50%+#-", ""),
    31: ("_C-", ""),
    32: ("[C]-", ""),
    33: ("*", ""),
}
_CYCLE_OF_STYLES = 34


def text(number: int, shift: int = 0) -> str:
    """Return a text that no other number has under the collation.

    Args:
        number: The number.
        shift: Shift of the style, by which companies differ.
    """
    begin, end = _STYLES.get((number + shift) % _CYCLE_OF_STYLES, ("C-", ""))
    # Without leading zeros, `C*29` matches `C-129` too.
    digits = str(number) if "*" in begin else f"{number:06d}"
    return f"{begin}{digits}{end}"


class Keys:
    """Keys of one table.

    Args:
        table: The table.
    """

    def __init__(self, table: Table) -> None:
        columns = [table.by_property[name] for name in table.key]
        self.has_company = COMPANY in table.by_property
        self._company_in_key = COMPANY in table.key
        self._has_key = bool(table.key)
        self.columns = [c for c in columns if c.property_name != COMPANY]
        counting = [c for c in self.columns if c.kind not in {Kind.PICKLIST, Kind.BOOLEAN}]
        self._counting = counting[-COUNTING:]
        self._choices = {c: _choices(c) for c in self.columns if c not in counting}
        self._offset = sum(map(ord, table.name)) % 7

    @property
    def limit(self) -> int | None:
        """Largest number of rows of a company; None if there is no limit."""
        if self._counting or not self._has_key:
            return None
        product = 1
        for numbers in self._choices.values():
            product *= len(numbers)
        return product

    def place(self, row: int) -> tuple[str, int]:
        """Return the company of a row, and the number of the row within its company."""
        if not self.has_company:
            return "", row
        cycle, place = divmod(row, len(CYCLE))
        company = CYCLE[place]
        if not self._company_in_key:
            return company, row
        return company, cycle * CYCLE.count(company) + CYCLE[:place].count(company)

    def values(self, company: str, number: int) -> list[Any]:
        """Return the values of the key columns without the company, as the store has them.

        Args:
            company: Company of the row.
            number: Number of the row within its company.
        """
        shift = self._offset + len(company) * 5
        rest, digits = number, {}
        for column in reversed(self._counting[1:]):
            rest, digits[column] = divmod(rest, RADIX)
        if self._counting:
            digits[self._counting[0]] = rest
        left, found = number, []
        for place, column in enumerate(self.columns):
            numbers: Sequence[int] | None = self._choices.get(column)
            if numbers is None:
                digit = digits.get(column, (number // 64 + place) % 3)
                found.append(_value(column, digit, shift))
            elif self._counting:
                odd = number % ODD == ODD - 1
                found.append(numbers[-1] if odd else numbers[(number * 7 + place) % len(numbers)])
            else:
                left, digit = divmod(left, len(numbers))
                found.append(numbers[digit])
        return found


def _choices(column: Column) -> list[int]:
    """Return the numbers of an enumeration, then one that has no member; or false and true."""
    if not column.options:
        return [0, 1]
    numbers = dict.fromkeys(option.value for option in column.options.options)
    return [*numbers, values.no_member(column)]


def _value(column: Column, digit: int, shift: int) -> Any:  # noqa: ANN401  - a cell; a rule for each type
    if column.edm_type == "Edm.String":
        # The first value of a key column is empty in every other table.
        return "" if digit == 0 and shift % 2 else text(digit, shift)
    if column.edm_type == "Edm.Int64":
        return values.FIRST_RECORD + digit * 97_003
    if column.edm_type == "Edm.Int32":
        return digit
    if column.edm_type == "Edm.Decimal":
        return str(digit) if digit % 3 else f"{digit}.5"
    if column.edm_type == "Edm.Guid":
        return values.guid(digit)
    return values.day(digit, at_noon=column.values == csdl.DATE)
