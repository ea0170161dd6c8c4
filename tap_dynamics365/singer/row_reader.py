"""Rows read from their JSON text: a column takes next to no time before its first value.

Most columns of a wide table are null. As long as no row has a value in a column, it is read as
null and nothing else; at the first value, which no row can pass unseen, the type of the rows is
compiled again.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.odata import row_types
from tap_dynamics365.odata.row_types import NULL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from msgspec import Raw

    from tap_dynamics365.odata.row_types import Field
    from tap_dynamics365.singer.type_check import Check, SchemaDriftCheck


class Plan:
    """How rows are read, given which columns have had values.

    Args:
        fields: The fields of a row.
        filled: The columns that have had values.
        checks: Looks at the types of their values.

    Attributes:
        numbers: Fields of those that hold numbers.
        numbers_of: Takes their values out of a row.
        open: Fields of those that hold objects of any parts.
    """

    def __init__(
        self, fields: Sequence[Field], filled: frozenset[str], checks: list[Check]
    ) -> None:
        self._fields = fields
        self.filled = filled
        self.checks = checks
        those = [field for field in fields if field.column in filled]
        self.numbers = [
            field.name for field in those if field.kinds & {"number", "string"} == {"number"}
        ]
        self.numbers_of = row_types.values_of(self.numbers)
        self.open = [field.name for field in those if field.is_open]

    @cached_property
    def decode(self) -> Callable[[Raw], Any]:
        """Reads a row in which all other columns are null."""
        empty = {field.column for field in self._fields} - self.filled
        return msgspec.json.Decoder(row_types.row(self._fields, empty)).decode


class Reader:
    """Reads rows of one table, in whichever thread.

    Args:
        fields: The fields of a row.
        announced: What the catalog says of the types of columns.
    """

    def __init__(self, fields: Sequence[Field], drift: SchemaDriftCheck) -> None:
        self._fields = fields
        self._drift = drift
        self._whole = msgspec.json.Decoder(row_types.row(fields))
        self._plan: Plan | None = None

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
        if plan is not None:
            with suppress(msgspec.ValidationError):
                return list(map(plan.decode, texts)), plan, []
        return self._read_more(texts, plan.filled if plan else frozenset())

    def _read_more(
        self, texts: Sequence[Raw], filled: frozenset[str]
    ) -> tuple[list[Any], Plan, list[Check]]:
        """Read rows with values in columns that had none, and have the next ones read likewise."""
        try:
            rows = list(map(self._whole.decode, texts))
        except msgspec.ValidationError as error:
            raise self._drift.refused(error) from error
        first = [field for field in self._fields if field.column not in filled]
        values = zip(*map(row_types.values_of([field.name for field in first]), rows), strict=True)
        new = {
            field.column
            for field, column in zip(first, values, strict=True)
            if column.count(NULL) + column.count(None) < len(column)
        }
        checks = self._drift.checks(filled | new)
        self._plan = plan = Plan(self._fields, filled | new, checks)
        return rows, plan, self._drift.checks(new) if filled else checks
