"""Writes of rows, as users of the environment make them."""

from __future__ import annotations

import json
import random
from itertools import count
from typing import TYPE_CHECKING, Any

from sandbox.data.writing import Writer
from sandbox.finance_operations import csdl, values
from sandbox.finance_operations.companies import DEFAULT
from sandbox.finance_operations.errors import bad_query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.data.clock import Clock
    from sandbox.data.model import Column, Table
    from sandbox.data.store import Store

# Record IDs of inserted rows: above those of all invented ones.
FIRST_INSERTED = values.FIRST_RECORD + 2**36
LARGEST_VERSION = 2**31


class FinanceWriter(Writer):
    """Inserts, updates and deletes rows.

    Keys are JSON arrays with the values of the key columns; enumerations have the names of members,
    and null stands for a number without a member.

    Args:
        store: The rows.
        clock: Clock of the service.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store.model, store, clock)
        self._records = count(FIRST_INSERTED)
        self._random = random.Random(2)  # noqa: S311  - repeatable by design

    def update_joined(self, name: str, key: str, cells: dict[str, Any]) -> dict[str, Any]:
        """Update columns of a joined table; the time of change is that of the root table.

        Args:
            name: Name of the entity set.
            key: Key of the row.
            cells: New values.
        """
        with self.store.writing:
            table = self.table(name)
            touched = super()._touched(table)
            kept = {c.property_name for c in table.columns if c.values == "modified"}
            changed = {name: value for name, value in touched.items() if name not in kept}
            changed[csdl.JOINED] = f";{self._version()},{values.FIRST_RECORD}"
            self.commit(self._setting(table, key, changed | cells))
        return {}

    def _version(self) -> int:
        """Return a record version of a changed row, which is random."""
        return self._random.randrange(2, LARGEST_VERSION)

    def _parts(self, table: Table, key: str) -> Sequence[Any]:
        parts = json.loads(key)
        if not isinstance(parts, list) or len(parts) != len(table.row_key):
            message = (
                f"A key of {table.name} is a list of the values of {', '.join(table.row_key)}."
            )
            raise bad_query(message)
        columns = (table.by_property[name] for name in table.row_key)
        return [_in_store(*each) for each in zip(columns, parts, strict=True)]

    def _cells(self, table: Table, values: dict[str, Any]) -> dict[str, Any]:
        columns = table.by_property
        known = {k: _in_store(columns[k], v) if k in columns else v for k, v in values.items()}
        return super()._cells(table, known)

    def _defaults(self, table: Table) -> dict[str, Any]:
        found = {column.property_name: _empty(column) for column in table.columns}
        if csdl.COMPANY in found:
            found[csdl.COMPANY] = DEFAULT
        found |= super()._touched(table)
        found |= {csdl.RECORD: next(self._records), csdl.VERSION: 1, csdl.JOINED: ";0,0"}
        return found

    def _touched(self, table: Table) -> dict[str, Any]:
        return {**super()._touched(table), csdl.VERSION: self._version()}


def _empty(column: Column) -> Any:  # noqa: ANN401  - a cell
    """Return the value of a column that is not given."""
    if column.options:
        numbers = [option.value for option in column.options.options]
        return 0 if 0 in numbers else next(iter(numbers), 0)
    if column.edm_type == "Edm.DateTimeOffset":
        return values.NO_DATE + "Z" if column.values == csdl.DATE else values.NO_TIME + "Z"
    if column.edm_type == "Edm.Guid":
        return values.ZERO_GUID
    return "" if column.edm_type in {"Edm.String", "Edm.Binary"} else 0


def _in_store(column: Column, value: Any) -> Any:  # noqa: ANN401  - a cell in JSON
    """Return the number of an enumeration's member, and other values as they are."""
    if column.options is None:
        if value is None:
            message = f"{column.property_name} is never null."
            raise bad_query(message)
        return value
    if value is None:
        return values.no_member(column)
    for option in column.options.options:
        if value in {option.value, option.label.english}:
            return option.value
    message = f"{column.options.name} has no member {value!r}."
    raise bad_query(message)
