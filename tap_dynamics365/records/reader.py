"""Rows read from their JSON text: a column takes next to no time before its first value.

Most columns of a wide table are null. As long as no row has a value in a column, it is read as
null and nothing else; at the first value, which no row can pass unseen, the type of the rows is
compiled again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.records import row_types
from tap_dynamics365.records.row_types import NULL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from msgspec import Raw

    from tap_dynamics365.records.announced import Announced, Check
    from tap_dynamics365.records.row_types import Field


@dataclass(frozen=True, slots=True)
class Plan:
    """How rows are read, given which columns have had values.

    Attributes:
        filled: The columns that have.
        decode: Reads a row in which all others are null.
        numbers: Fields of those that hold numbers.
        numbers_of: Takes their values out of a row.
        open: Fields of those that hold objects of any parts.
        checks: Looks at the types of their values.
    """

    filled: frozenset[str]
    decode: Callable[[Raw], Any]
    numbers: list[str]
    numbers_of: Callable[[Any], tuple[Raw, ...]]
    open: list[str]
    checks: list[Check]


class Reader:
    """Reads rows of one table, in whichever thread.

    Args:
        columns: JSON Schema of each column that is selected.
        fields: The fields that hold them.
        announced: What the catalog says of their types.
    """

    def __init__(
        self,
        columns: Mapping[str, Mapping[str, Any]],
        fields: Sequence[Field],
        announced: Announced,
    ) -> None:
        self._fields = fields
        self._announced = announced
        self._open = {name for name, column in columns.items() if row_types.is_open(column)}
        kinds = {name: row_types.kinds(column) for name, column in columns.items()}
        self._numbers = {
            name for name, kind in kinds.items() if "number" in kind and "string" not in kind
        }
        self._whole = msgspec.json.Decoder(row_types.row(fields))
        self._plan = self._made(frozenset())

    def read(self, texts: Sequence[Raw]) -> tuple[list[Any], Plan, list[Check]]:
        """Read rows.

        Args:
            texts: Their texts.

        Returns:
            The rows; how they were read, so that what is not among the plan's columns is null; and
            what looks at the types of columns that have their first values here.

        Raises:
            ServiceError: A value is of another type than announced.
            msgspec.DecodeError: Something is no row.
        """
        plan = self._plan
        try:
            return list(map(plan.decode, texts)), plan, []
        except msgspec.ValidationError:
            return self._read_more(texts, plan.filled)

    def _read_more(
        self, texts: Sequence[Raw], filled: frozenset[str]
    ) -> tuple[list[Any], Plan, list[Check]]:
        """Read rows with values in columns that had none, and have the next ones read likewise."""
        try:
            rows = list(map(self._whole.decode, texts))
        except msgspec.ValidationError as error:
            raise self._announced.refused(error) from error
        first = [field for field in self._fields if field.column not in filled]
        values = zip(*map(row_types.values_of([field.name for field in first]), rows), strict=True)
        new = {
            field.column
            for field, column in zip(first, values, strict=True)
            if column.count(NULL) + column.count(None) < len(column)
        }
        self._plan = plan = self._made(filled | new)
        return rows, plan, self._announced.checks(new)

    def _made(self, filled: frozenset[str]) -> Plan:
        numbers = self._those(self._numbers & filled)
        return Plan(
            filled,
            msgspec.json.Decoder(row_types.row(self._fields, self._empty(filled))).decode,
            numbers,
            row_types.values_of(numbers),
            self._those(self._open & filled),
            self._announced.checks(filled),
        )

    def _empty(self, filled: frozenset[str]) -> Collection[str]:
        return {field.column for field in self._fields}.difference(filled)

    def _those(self, columns: Collection[str]) -> list[str]:
        return [field.name for field in self._fields if field.column in columns]
