"""Warehouse in memory: loads Singer messages as a target does, with soft deletes and versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.tap import Message

DELETED_AT = "_sdc_deleted_at"


@dataclass
class Table:
    """Rows of one stream.

    Attributes:
        key: The key columns.
        rows: The records by key, including those that are marked as deleted.
        versions: The table version of each row.
    """

    key: list[str] = field(default_factory=list)
    rows: dict[tuple[Any, ...], Message] = field(default_factory=dict)
    versions: dict[tuple[Any, ...], int | None] = field(default_factory=dict)

    @property
    def current(self) -> dict[tuple[Any, ...], Message]:
        """The rows that are not marked as deleted."""
        return {key: row for key, row in self.rows.items() if row.get(DELETED_AT) is None}


@dataclass
class Warehouse:
    """All tables, and the last state."""

    tables: dict[str, Table] = field(default_factory=dict)
    state: Message = field(default_factory=dict)

    def compare(
        self, table: str, key: str, columns: Sequence[str], rows: Iterable[Message]
    ) -> tuple[dict[str, Message], set[str]]:
        """Compare some columns of a table with the rows of the service.

        Args:
            table: The table.
            key: The key column.
            columns: The columns to compare, besides the key.
            rows: The rows of the service.

        Returns:
            The rows of the service that are missing or different here, by key; and the keys of
            rows that are only here.
        """
        current = self.tables[table].current if table in self.tables else {}
        found = {name: [row.get(column) for column in columns] for (name,), row in current.items()}
        expected = {row[key]: row for row in rows}
        lost = {
            name: row
            for name, row in expected.items()
            if found.get(name) != [row[column] for column in columns]
        }
        return lost, found.keys() - expected.keys()

    def load(self, messages: Iterable[Message]) -> None:
        """Load the messages of a run, which may be incomplete.

        Args:
            messages: The messages in order.
        """
        for message in messages:
            table = self.tables.setdefault(message.get("stream", ""), Table())
            match message["type"]:
                case "SCHEMA":
                    table.key = message["key_properties"]
                case "RECORD":
                    record = message["record"]
                    key = tuple(record[part] for part in table.key)
                    # Columns that a record lacks become empty, as in target-postgres.
                    table.rows[key] = record
                    table.versions[key] = message.get("version")
                case "ACTIVATE_VERSION":
                    for key, version in list(table.versions.items()):
                        if version is None or version < message["version"]:
                            del table.rows[key], table.versions[key]
                case "STATE":
                    self.state = message["value"]
