"""Late commits: changes that are made at one time and can be seen only at a later one.

The service takes `modifiedon` and `versionnumber` while a transaction runs, up to two minutes
before it ends: rows become visible that are older than what others have read meanwhile. Delta
tokens never go past a transaction that is still open.
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
class Order:
    """Changes to one table.

    Attributes:
        insert: rows to be added.
        update: new values, by the rows' keys.
        delete: keys of rows to be removed.
        late: whether times and version numbers are taken when the transaction begins; else when
            it is committed.
    """

    insert: list[dict[str, Any]] = field(default_factory=list)
    update: dict[str, dict[str, Any]] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)
    late: bool = True


class Transactions:
    """Changes that wait to be committed. The rows that they touch are left alone until then.

    Args:
        writer: what makes changes.
    """

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self._numbers = count(1)
        self._open: dict[int, list[Callable[[], Change]]] = {}

    def begin(self, table: str, order: Order) -> tuple[int, Sequence[dict[str, Any]]]:
        """Make changes that nobody sees yet.

        Args:
            table: which table they are to.
            order: the changes.

        Returns:
            The number of the transaction, and the key of each row that it inserts, if it is known.
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
        """Let everybody see the changes."""
        store = self.writer.store
        with store.writing:
            for change in self._end(number):
                self.writer.commit(change())
            store.open.pop(number, None)

    def roll_back(self, number: int) -> None:
        """Let the changes never have been."""
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
