"""Customization: changes of the data model while it is served.

`$metadata`, `EntityDefinitions` and the global metadata version follow each change. Delta tokens of
the changed table expire.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.data.model import EDM_TYPES, EXACT_TEXT, INTEGERS, Column, Kind, Label, Option, Table
from sandbox.data.store import declaration, quoted
from sandbox.faults.errors import bad_query, no_such_table, unknown_property

if TYPE_CHECKING:
    from sandbox.data.model import Model
    from sandbox.data.store import Store
    from sandbox.dataverse.change_tracking import ChangeTracking

KINDS = {
    "Edm.Boolean": Kind.BOOLEAN,
    "Edm.DateTimeOffset": Kind.DATETIME,
    "Edm.Decimal": Kind.DECIMAL,
    "Edm.Double": Kind.DOUBLE,
    "Edm.Int32": Kind.INTEGER,
    "Edm.Int64": Kind.BIGINT,
    "Edm.String": Kind.STRING,
}


class Customizer:
    """Changes tables of the model.

    Args:
        model: The tables.
        store: The rows.
        changes: Change tracking, whose tokens expire.
    """

    def __init__(self, model: Model, store: Store, changes: ChangeTracking) -> None:
        self.model = model
        self.store = store
        self.changes = changes

    def add_column(self, table: str, column: str, edm_type: str) -> None:
        """Add a column, which is empty in all rows."""
        found = self._table(table)
        if column in found.by_property:
            message = f"An attribute with the specified name {column} already exists."
            raise bad_query(message)
        added = _column(column, edm_type)
        self.store.change(found, [(_adding(found, added, self.model.collation), ())])
        self._replace(found, (*found.columns, added))

    def drop_column(self, table: str, column: str) -> None:
        """Remove a column."""
        found = self._table(table)
        dropped = self._plain_column(found, column)
        index = f"DROP INDEX IF EXISTS {quoted(f'{table} by {column}')}"
        dropping = f"ALTER TABLE {quoted(table)} DROP COLUMN {quoted(column)}"
        self._replace(found, tuple(each for each in found.columns if each is not dropped))
        self.store.change(found, [(index, ()), (dropping, ())])

    def retype_column(self, table: str, column: str, edm_type: str) -> None:
        """Change the type of a column; values are converted, and rows keep their versions."""
        found = self._table(table)
        old, new = self._plain_column(found, column), _column(column, edm_type)
        interim = replace(new, property_name=f"@{column}")
        value = quoted(column)
        if edm_type in INTEGERS:
            value = f"CAST({value} AS INTEGER)"
        elif edm_type in EXACT_TEXT:
            value = f"CAST(CAST({value} AS NUMERIC) AS TEXT)"
        changed = quoted(table)
        statements = [
            _adding(found, interim, self.model.collation),
            f"UPDATE {changed} SET {quoted(interim.property_name)} = {value}",  # noqa: S608  - names of the model
            f"ALTER TABLE {changed} DROP COLUMN {quoted(column)}",
            f"ALTER TABLE {changed} RENAME {quoted(interim.property_name)} TO {quoted(column)}",
        ]
        self.store.change(found, [(sql, ()) for sql in statements])
        self._replace(found, tuple(new if each is old else each for each in found.columns))

    def relabel_column(self, table: str, column: str, english: str, german: str) -> None:
        """Change the display name of a column."""
        found = self._table(table)
        old = self._column(found, column)
        self._exchange(found, old, replace(old, label=Label(english, german)))

    def add_option(self, table: str, column: str, value: int, english: str, german: str) -> None:
        """Add a value to a choice."""
        found = self._table(table)
        old = self._column(found, column)
        if old.options is None:
            message = f"{table}.{column} is no choice."
            raise bad_query(message)
        options = (*old.options.options, Option(value, Label(english, german)))
        self._exchange(found, old, replace(old, options=replace(old.options, options=options)))

    def add_table(self, table: str) -> None:
        """Add a table without rows."""
        if self.model.document is not None or table in self.model.by_name:
            message = f"An entity with the specified name {table} already exists."
            raise bad_query(message)
        kinds = {
            f"{table}id": Kind.UNIQUE_IDENTIFIER,
            "name": Kind.STRING,
            "createdon": Kind.DATETIME,
            "modifiedon": Kind.DATETIME,
            "versionnumber": Kind.BIGINT,
        }
        stamps = {"createdon": "created", "modifiedon": "modified", "versionnumber": "version"}
        made = Table(
            name=table,
            set_name=f"{table}s",
            columns=tuple(
                Column(
                    name,
                    kind,
                    name,
                    EDM_TYPES[kind],
                    values=stamps.get(name, ""),
                    computed=name in stamps,
                )
                for name, kind in kinds.items()
            ),
            key=(f"{table}id",),
            primary_id=f"{table}id",
            primary_name="name",
            schema_name=table,
            custom=True,
            label=Label(table, table),
            plural=Label(f"{table}s", f"{table}s"),
        )
        self.store.add(made)
        self.model.add(made)

    def drop_table(self, table: str) -> None:
        """Remove a table."""
        found = self._table(table)
        self.model.replace(found.name)

    def track_changes(self, table: str, *, on: bool) -> None:
        """Switch change tracking on or off; the service can only switch it on."""
        found = self._table(table)
        self.changes.table_changed(found)
        self.model.replace(table, replace(found, change_tracking=on))

    def _table(self, name: str) -> Table:
        table = self.model.by_name.get(name)
        if table is None or not table.set_name:
            raise no_such_table(name)
        shown = [each.name for each in self.model.tables if name in each.union_of]
        if self.model.document is not None or table.union_of or shown:
            message = f"The sandbox can't customize {name}: it is part of a union or of a document."
            raise bad_query(message)
        return table

    def _column(self, table: Table, name: str) -> Column:
        column = table.by_property.get(name)
        if column is None or column.kind is Kind.STREAM:
            raise unknown_property(name, f"{self.model.namespace}.{table.name}")
        return column

    def _exchange(self, table: Table, old: Column, new: Column) -> None:
        """Replace a column without a change of the rows."""
        columns = tuple(new if each is old else each for each in table.columns)
        self.model.replace(table.name, replace(table, columns=columns))

    def _plain_column(self, table: Table, name: str) -> Column:
        column = self._column(table, name)
        if name in {*table.key, table.primary_id, table.primary_name} or column.is_polymorphic:
            message = f"The sandbox can't change {table.name}.{name}: it identifies rows."
            raise bad_query(message)
        return column

    def _replace(self, table: Table, columns: tuple[Column, ...]) -> None:
        self.changes.table_changed(table)
        self.model.replace(table.name, replace(table, columns=columns))


def _column(name: str, edm_type: str) -> Column:
    if edm_type not in KINDS:
        message = f"The sandbox can't add a column of type {edm_type}, only of {', '.join(KINDS)}."
        raise bad_query(message)
    return Column(name, KINDS[edm_type], name, edm_type)


def _adding(table: Table, column: Column, collation: str) -> str:
    kind = declaration(column, collation)
    return f"ALTER TABLE {quoted(table.name)} ADD COLUMN {quoted(column.property_name)} {kind}"
