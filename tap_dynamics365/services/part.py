"""Part: a part of a service in which tables have rows of their own, such as a company."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a service.

    Attributes:
        id: The id, which never changes. The state has it.
        name: The name, for messages.
        path: Where its rows are, between the root of an API and the entity set in a URL.
        values: The columns that the tap adds to each row of the part, by name. The first one is
            the id, and is the first column of the key.
        is_selected: Whether the settings select it.
    """

    id: str
    name: str
    path: str
    values: Mapping[str, str] = field(default_factory=dict)
    is_selected: bool = True


def column(name: str, others: Collection[str]) -> str:
    """Return the name of a column that the tap adds to the rows of a table.

    Args:
        name: The name of the column.
        others: The table's own columns.

    Returns:
        The name; with an underscore before it if the table has a column of that name.
    """
    return f"_{name}" if name.lower() in {other.lower() for other in others} else name


def columns(names: Collection[str], schema: Collection[str]) -> tuple[str, ...]:
    """Return the columns that the tap has added to the rows of a table.

    Args:
        names: What they are called where the table has no columns of these names.
        schema: All columns of the table in the catalog.

    Returns:
        Their names; empty if the table is not divided.
    """
    found = ((f"_{name}" if f"_{name}" in schema else name) for name in names)
    added = tuple(name for name in found if name in schema)
    return added if len(added) == len(names) else ()
