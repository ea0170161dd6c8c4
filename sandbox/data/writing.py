"""Writes of rows: insert, update and delete, as a user of the organisation makes them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.data.model import LOOKUPS, PARTITION, Kind, TableType
from sandbox.data.pools import ticks
from sandbox.data.store import quoted
from sandbox.data.values import stored
from sandbox.faults.errors import no_record, no_such_table, unknown_property

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.data.clock import Clock
    from sandbox.data.model import Model, Table
    from sandbox.data.store import Store


class Change(NamedTuple):
    """A change that has its timestamps and version numbers, and is not committed yet.

    Attributes:
        table: The table that changes.
        statements: SQL statements with their parameters.
        keys: Keys of inserted rows.
        missing: Key of a row that must exist, or an empty string.
    """

    table: Table
    statements: list[tuple[str, list[Any]]]
    keys: Sequence[dict[str, Any]] = ()
    missing: str = ""


class Writer:
    """Inserts, updates and deletes rows; each change gets the next version number.

    Args:
        model: The tables.
        store: The rows.
        clock: Clock of the service.
    """

    def __init__(self, model: Model, store: Store, clock: Clock) -> None:
        self.model = model
        self.store = store
        self.clock = clock

    def table(self, name: str) -> Table:
        """Return the table with a logical name.

        Raises:
            ServiceError: There is no such table.
        """
        table = self.model.by_name.get(name)
        if table is None or not table.set_name:
            raise no_such_table(name)
        return table

    def _cells(self, table: Table, values: dict[str, Any]) -> dict[str, Any]:
        cells = {}
        for name, value in values.items():
            base, at, _ = name.partition("@")
            column = table.by_property.get(base)
            if column is None or column.kind is Kind.STREAM:
                raise unknown_property(name, f"{self.model.namespace}.{table.name}")
            if at:
                # Annotation with the table that a polymorphic lookup points at.
                cells[column.type_column] = value
                continue
            cells[name] = stored(column, value)
            if column.kind in LOOKUPS and column.is_polymorphic:
                cells.setdefault(column.type_column, column.targets[0] if value else None)
        return cells

    def commit(self, change: Change) -> None:
        """Commit a change: it becomes visible.

        Raises:
            ServiceError: The row to change does not exist.
        """
        if not self.store.change(change.table, change.statements)[0] and change.missing:
            raise no_record(change.table.schema_name, change.missing)

    def insert(self, name: str, rows: list[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """Insert rows.

        Args:
            name: Logical name of the table.
            rows: Values; missing ids, times and version numbers are filled in.

        Returns:
            Key of each row.
        """
        with self.store.writing:
            change = self.insertion(name, rows)
            self.commit(change)
        return change.keys

    def insertion(self, name: str, rows: list[dict[str, Any]]) -> Change:
        """Return the change that inserts rows; the arguments are those of `insert`."""
        table = self.table(name)
        statements, keys = [], []
        for row in rows:
            values = self._defaults(table) | row
            for twin in {*table.key, table.primary_id} - set(row):
                if len(table.key) == 1 and table.primary_id in values:
                    values[twin] = values[table.primary_id]
            if table.table_type is TableType.ELASTIC:
                values.setdefault(PARTITION, values[table.primary_id])
            cells = self._cells(table, values)
            names = ", ".join(quoted(cell) for cell in cells)
            marks = ", ".join("?" * len(cells))
            sql = f"INSERT INTO {quoted(name)} ({names}) VALUES ({marks})"  # noqa: S608  - names of the model
            statements.append((sql, list(cells.values())))
            keys.append({part: values.get(part) for part in table.row_key})
            again = "DELETE FROM [@deleted] WHERE name = ? AND id = ?"
            statements.append((again, [name, str(values[table.primary_id]).lower()]))
        return Change(table, statements, keys)

    def _defaults(self, table: Table) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if table.by_property[table.primary_id].edm_type == "Edm.Guid":
            values[table.primary_id] = str(uuid.uuid4())
        for column in table.columns:
            name = column.property_name
            if column.values in {"created", "modified"}:
                values[name] = self.clock.stamp()
            elif column.values == "version":
                values[name] = self.store.next_version()
            elif column.values == "ticks":
                values[name] = ticks(self.clock.now())
            elif column.values == "own_name":
                values[name] = table.name
            elif column.kind in {Kind.STATE, Kind.STATUS} and column.options:
                values[name] = column.options.options[0].value
        return values

    def _parts(self, table: Table, key: str) -> Sequence[Any]:
        """Return the parts of a key."""
        return key.split(",") if len(table.row_key) > 1 else [key]

    def _where(self, table: Table, key: str) -> tuple[str, list[Any]]:
        parts = self._parts(table, key)
        where = " AND ".join(f"{quoted(name)} = ?" for name in table.row_key)
        return where, [
            stored(table.by_property[name], part)
            for name, part in zip(table.row_key, parts, strict=True)
        ]

    def update(self, name: str, key: str, values: dict[str, Any]) -> dict[str, Any]:
        """Update a row; `modifiedon` and the version number change too.

        Args:
            name: Logical name of the table.
            key: Key of the row; commas separate the parts of a composite key.
            values: New values.
        """
        with self.store.writing:
            self.commit(self.updating(name, key, values))
        return {}

    def updating(self, name: str, key: str, values: dict[str, Any]) -> Change:
        """Return the change that updates a row; the arguments are those of `update`."""
        table = self.table(name)
        return self._setting(table, key, self._touched(table) | values)

    def _setting(self, table: Table, key: str, values: dict[str, Any]) -> Change:
        """Return the change that sets these values of a row and no others."""
        cells = self._cells(table, values)
        where, parameters = self._where(table, key)
        assignments = ", ".join(f"{quoted(cell)} = ?" for cell in cells)
        sql = f"UPDATE {quoted(table.name)} SET {assignments} WHERE {where}"  # noqa: S608  - names of the model
        return Change(table, [(sql, [*cells.values(), *parameters])], missing=key)

    def _touched(self, table: Table) -> dict[str, Any]:
        """Return the values that every update changes."""
        touched: dict[str, Any] = {}
        for column in table.columns:
            if column.values == "modified":
                touched[column.property_name] = self.clock.stamp()
            elif column.values == "version":
                touched[column.property_name] = self.store.next_version()
            elif column.values == "ticks":
                touched[column.property_name] = ticks(self.clock.now())
        return touched

    def delete(self, name: str, key: str) -> dict[str, Any]:
        """Delete a row, and record the deletion for change tracking.

        Args:
            name: Logical name of the table.
            key: Key of the row; commas separate the parts of a composite key.
        """
        with self.store.writing:
            self.commit(self.deletion(name, key))
        return {}

    def deletion(self, name: str, key: str) -> Change:
        """Return the change that deletes a row; the arguments are those of `delete`."""
        table = self.table(name)
        where, parameters = self._where(table, key)
        gone = f"DELETE FROM {quoted(name)} WHERE {where}"  # noqa: S608  - names of the model
        memory = "INSERT OR REPLACE INTO [@deleted] VALUES (?, ?, ?)"
        version = self.store.next_version()
        return Change(
            table, [(gone, parameters), (memory, [name, key.lower(), version])], missing=key
        )
