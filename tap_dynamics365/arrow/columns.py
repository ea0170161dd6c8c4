"""Columns: the columns of a table in record batches, and their schema."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tap_dynamics365.arrow.types import MOMENT, ArrowColumn, Form, arrow_type
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.extract.read import DELETED_AT
from tap_dynamics365.odata import enumeration
from tap_dynamics365.odata.json_schema import is_stream
from tap_dynamics365.services import name_columns
from tap_dynamics365.services.table_schema import json_schema
from tap_dynamics365.settings.names import compare

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tap_dynamics365.services.describe import Described

# Names in the metadata of a schema.
TABLE, KEY = b"dynamics365.table", b"dynamics365.key"

DELETED = ArrowColumn(
    DELETED_AT,
    DELETED_AT,
    MOMENT,
    Form.DATE,
    description="When the row was found to be deleted; null for a row that is there.",
)


@dataclass(frozen=True)
class Columns:
    """All columns that a table can be read with.

    Attributes:
        table: The name of the table.
        key: The columns that identify a row.
        schema: The JSON Schema of each column.
        known: The columns by name.
    """

    table: str
    key: tuple[str, ...]
    schema: Mapping[str, Any]
    known: Mapping[str, ArrowColumn]

    @classmethod
    def of(cls, described: Described, *, has_names: bool) -> Columns:
        """Return the columns of a table.

        Args:
            described: The table and its definition.
            has_names: Whether labels and names of rows have columns of their own.
        """
        table, definition = described
        schema: dict[str, Any] = json_schema(table, definition)["properties"]
        defined = definition.by_property if definition is not None else {}
        additions: Mapping[str, Sequence[name_columns.NameColumn]] = {}
        if has_names and definition is not None:
            additions, _ = name_columns.of_table(schema, definition)
        known: dict[str, ArrowColumn] = {}
        for column in table.columns:
            if is_stream(column):
                continue
            kind, form = arrow_type(column, defined.get(column.name))
            words = schema[column.name].get("description") or ""
            known[column.name] = ArrowColumn(
                column.name, column.name, kind, form, column.name not in table.key, words
            )
            for added in additions.get(column.name, ()):
                known[added.name] = ArrowColumn(
                    added.name, added.annotation, pa.string(), description=added.description
                )
                schema[added.name] = {"type": ["string", "null"]}
        return cls(table.name, table.key, schema, known)

    def chosen(
        self, names: Sequence[str], *, text: Collection[str] = (), decimals: str = "exact"
    ) -> list[ArrowColumn]:
        """Return columns by their names, in the order of the names.

        Args:
            names: The names; all columns if empty.
            text: The columns whose values are read as text, whatever their type.
            decimals: `exact`, or `text` to read all decimal columns as text.

        Raises:
            SettingsError: The table does not have one of the columns, or an option is unknown.
        """
        self._check([*names, *text])
        if decimals not in {"exact", "text"}:
            msg = f"The option decimals is {decimals!r}: choose 'exact' or 'text'."
            raise SettingsError(msg)
        found = []
        for name in dict.fromkeys(names or self.known):
            column = self.known[name]
            is_decimal = decimals == "text" and pa.types.is_decimal(column.type)
            if name in text or is_decimal:
                column = replace(column, type=pa.string(), form=Form.ANY)
            found.append(column)
        return found

    def _check(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.known:
                near = compare(name, [*self.known]).near
                meant = f" Did you mean {near}?" if near else ""
                msg = f"The table {self.table!r} has no column {name!r}.{meant}"
                raise SettingsError(msg)

    def arrow_schema(self, columns: Sequence[ArrowColumn]) -> pa.Schema:
        """Return the schema of batches with some columns.

        Args:
            columns: The columns.
        """
        metadata = {TABLE: self.table.encode(), KEY: json.dumps(self.key).encode()}
        return pa.schema([column.field for column in columns], metadata=metadata)

    @property
    def blank_if_null(self) -> tuple[str, ...]:
        """The columns of the key that may be null: enumerations, whose values may have no name."""
        return tuple(
            name
            for name in self.key
            if "null" in self.schema[name]["type"]
            and enumeration.name(self.schema[name].get("description"))
        )
