"""Row reader: decodes rows from JSON text; columns without values cost almost no time.

Most columns of a wide table are null. Until a row has a value in a column, the compiled type
accepts only null there. The first value makes decoding fail, and the type is compiled again.
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
    """How to decode rows, depending on which columns have had values.

    Args:
        fields: The fields of a row.
        filled: The columns that have had values; kept as an attribute.
        checks: The type checks of these columns; kept as an attribute.

    Attributes:
        numbers: The fields of these columns that hold numbers.
        numbers_of: Returns their values in a row.
        open: The fields of these columns that may hold objects with unknown properties.
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
        """Decodes a row in which all other columns are null."""
        empty = {field.column for field in self._fields} - self.filled
        return msgspec.json.Decoder(row_types.row(self._fields, empty)).decode


class Reader:
    """Decodes rows of one table, in any thread.

    Args:
        fields: The fields of a row.
        drift: Compares the types of values with the catalog.
    """

    def __init__(self, fields: Sequence[Field], drift: SchemaDriftCheck) -> None:
        self._fields = fields
        self._drift = drift
        self._whole = msgspec.json.Decoder(row_types.row(fields))
        self._plan: Plan | None = None

    def read(self, texts: Sequence[Raw]) -> tuple[list[Any], Plan, list[Check]]:
        """Decode rows.

        Args:
            texts: The JSON text of each row.

        Returns:
            The rows, the plan by which they were decoded (columns that are not in it are null), and
            the type checks of the columns that have their first values in these rows.

        Raises:
            ServiceError: A value's type differs from the catalog.
            msgspec.DecodeError: A text is not a row.
        """
        plan = self._plan
        if plan is not None:
            with suppress(msgspec.ValidationError):
                return list(map(plan.decode, texts)), plan, []
        return self._read_more(texts, plan.filled if plan else frozenset())

    def _read_more(
        self, texts: Sequence[Raw], filled: frozenset[str]
    ) -> tuple[list[Any], Plan, list[Check]]:
        """Decode rows with first values in some columns, and make a plan with these columns."""
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
