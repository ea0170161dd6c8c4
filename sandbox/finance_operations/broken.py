"""Broken entities: X++ code that fails for a row fails the page that the row is on.

A computed column is an expression in the entity's view; a virtual column is X++ code that runs for
each row (Microsoft Learn, "Computed columns and virtual fields in data entities").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sandbox.finance_operations import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sandbox.data.model import Column, Table


class Breakage(msgspec.Struct, forbid_unknown_fields=True):
    """How an entity is broken.

    Attributes:
        message: Message of the innermost exception.
        from_row: Number of the first broken row in the order of the key, among the rows that the
            request reads from.
        rows: Number of broken rows. None breaks all rows from the first on.
        column: Virtual column whose code fails; requests that don't select the column succeed.
            Empty fails whatever is selected.
        count: Number of requests that fail. None lets all fail.
        layers: Number of exceptions within each other.
    """

    message: str = "Cannot read a record in Sandbox entity (SandboxEntity). Invalid state."
    from_row: int = 0
    rows: int | None = None
    column: str = ""
    count: int | None = None
    layers: int = 3


class Breakages:
    """The broken entities."""

    def __init__(self) -> None:
        self._by_set: dict[str, Breakage] = {}

    def order(self, table: Table, breakage: Breakage) -> None:
        """Break an entity."""
        self._by_set[table.name] = breakage

    def clear(self) -> None:
        """Mend all entities."""
        self._by_set.clear()

    def check(
        self,
        table: Table,
        select: Collection[Column],
        rows: Collection[int],
        in_order: Callable[[int, int | None], Collection[int]],
    ) -> None:
        """Fail if the code of an entity fails for one of these rows.

        Args:
            table: The entity set.
            select: Selected columns. Empty selects all.
            rows: Row numbers in the store.
            in_order: Returns the row numbers of rows in the order of the key, given the number of
                the first one and how many there are.

        Raises:
            ServiceError: The code fails.
        """
        found = self._by_set.get(table.name)
        if found is None or found.count == 0:
            return
        if select and found.column and found.column not in {c.property_name for c in select}:
            return
        is_whole = not found.from_row and found.rows is None
        if not is_whole and set(rows).isdisjoint(in_order(found.from_row, found.rows)):
            return
        if found.count is not None:
            found.count -= 1
        raise errors.failed(found.message, found.layers)
