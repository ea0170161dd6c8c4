"""Warehouse in memory: loads Singer messages as a target does, with soft deletes and versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    def living(self) -> dict[tuple[Any, ...], Message]:
        """The rows that are not marked as deleted."""
        return {key: row for key, row in self.rows.items() if row.get(DELETED_AT) is None}


@dataclass
class Warehouse:
    """All tables, and the last state."""

    tables: dict[str, Table] = field(default_factory=dict)
    state: Message = field(default_factory=dict)

    def take(self, messages: Iterable[Message]) -> None:
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
