"""Expected name columns: computed from the sandbox's model and rows, not from annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.data.model import CHOICES, LOOKUPS, Kind
from sandbox.dataverse.organisation import MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.client import Sandbox
    from sandbox.data.model import Column
    from tests.tap import Message

ENGLISH, GERMAN = 1033, 1031
LABELLED = CHOICES | {Kind.MULTI_SELECT, Kind.BOOLEAN}


def key_of(row: Message, names: Sequence[str]) -> Any:  # noqa: ANN401 - one part or several
    """Return the key of a row: one value, or a tuple of several."""
    values = tuple(row[name] for name in names)
    return values if len(values) > 1 else values[0]


class Expected:
    """Expected records of the rows of a sandbox.

    Args:
        source: The sandbox, whose rows are read at once.
        language: The language of the user.
    """

    def __init__(self, source: Sandbox, language: int = ENGLISH) -> None:
        self.source = source
        self.language = language
        self.names = {
            (table.name, row[table.primary_id]): row[table.primary_name]
            for table in MODEL.tables
            if table.set_name and table.primary_name and not table.union_of
            for row in source.rows(table.name)
        }

    def label(self, column: Column, value: Any) -> str | None:  # noqa: ANN401 - of any column
        """Return the label of a value, or the labels of several values."""
        if value is None or column.options is None:
            return None
        labels = {
            str(option.value): (
                option.label.german if self.language == GERMAN else option.label.english
            )
            for option in column.options.options
        }
        values = str(int(value) if isinstance(value, bool) else value).split(",")
        return "; ".join(labels[value] for value in values)

    def columns(self, column: Column, value: Any) -> Message:  # noqa: ANN401 - as above
        """Return a column and its name columns, with their values."""
        found = {column.property_name: value}
        if column.kind in LABELLED:
            found[f"{column.name}name"] = self.label(column, value)
        elif column.kind in LOOKUPS:
            table = next((name for name in column.targets if (name, value) in self.names), None)
            named = table and not column.nameless
            found[f"{column.name}name"] = self.names[table, value] if named else None
            found[f"{column.name}type"] = table
        return found

    def records(self, table: str) -> dict[str, Message]:
        """Return the expected records of a table by key (see `key_of`)."""
        described = MODEL.by_name[table]
        columns = [column for column in described.columns if column.kind is not Kind.STREAM]
        return {
            key_of(row, described.row_key): {
                name: value
                for column in columns
                for name, value in self.columns(column, row[column.property_name]).items()
            }
            for row in self.source.rows(table)
        }
