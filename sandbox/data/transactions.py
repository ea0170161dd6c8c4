"""Late commits: changes that get their timestamps before they become visible.

The service sets `modifiedon` and `versionnumber` while a transaction runs, up to two minutes before
the transaction ends: rows become visible that are older than rows that clients have read already.
Delta tokens never pass an open transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from sandbox.faults.errors import bad_query

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox.data.writing import Change, Writer


@dataclass
class TableChanges:
    """Changes to one table.

    Attributes:
        insert: Rows to insert.
        update: New values, by the key of the row.
        delete: Keys of rows to delete.
        late: Whether times and version numbers are taken when the transaction begins; otherwise
            they are taken at the commit.
    """

    insert: list[dict[str, Any]] = field(default_factory=list)
    update: dict[str, dict[str, Any]] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)
    late: bool = True


class Transactions:
    """Open transactions; no other change touches their rows.

    Args:
        writer: Makes the changes.
    """

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self._numbers = count(1)
        self._open: dict[int, list[Callable[[], Change]]] = {}

    def begin(self, table: str, order: TableChanges) -> tuple[int, Sequence[dict[str, Any]]]:
        """Begin a transaction with changes that are not visible yet.

        Args:
            table: Logical name of the table.
            order: The changes.

        Returns:
            Number of the transaction, and the key of each inserted row if the transaction is late.
        """
        writer, store = self.writer, self.writer.store
        changes: list[Callable[[], Change]] = []
        if order.insert:
            changes.append(partial(writer.insertion, table, order.insert))
        changes += [partial(writer.updating, table, *each) for each in order.update.items()]
        changes += [partial(writer.deletion, table, key) for key in order.delete]
        keys: Sequence[dict[str, Any]] = ()
        with store.writing:
            number, before = next(self._numbers), store.version
            if order.late:
                made = [change() for change in changes]
                keys = [key for change in made for key in change.keys]
                changes = [partial(_same, change) for change in made]
                store.open[number] = before
            self._open[number] = changes
        return number, keys

    def commit(self, number: int) -> None:
        """Commit a transaction: its changes become visible."""
        store = self.writer.store
        with store.writing:
            for change in self._end(number):
                self.writer.commit(change())
            store.open.pop(number, None)

    def roll_back(self, number: int) -> None:
        """Roll back a transaction."""
        with self.writer.store.writing:
            self._end(number)
            self.writer.store.open.pop(number, None)

    def _end(self, number: int) -> list[Callable[[], Change]]:
        if number not in self._open:
            message = f"There is no open transaction {number}."
            raise bad_query(message)
        return self._open.pop(number)


def _same(change: Change) -> Change:
    return change
