"""Parent path: the way to rows that can only be read through the rows of another table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ParentPath:
    """The way from the rows of a parent to the rows of a table.

    Attributes:
        parent: The entity set of the parent, as the catalog has it.
        steps: The navigation properties that lead from a row of the parent to the rows.
        id: The key column of the parent.
        is_guid: Whether the ids are GUIDs, which filters write without quotation marks.
        changed_at: The column with the time of a change of the parent; empty if it has none.
    """

    parent: str
    steps: tuple[str, ...]
    id: str = "id"
    is_guid: bool = True
    changed_at: str = ""

    @property
    def name(self) -> str:
        """The path in messages and in the state, such as `salesInvoices/salesInvoiceLines`."""
        return "/".join((self.parent, *self.steps))
