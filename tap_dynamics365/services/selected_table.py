"""Selected table: what a service has to know of a stream before its rows are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, kw_only=True)
class SelectedTable:
    """A table that is extracted.

    Attributes:
        name: The name of the stream.
        entity_set: The entity set, as the catalog has it.
        columns: The columns that are selected.
        is_incremental: Whether only changed rows are read.
    """

    name: str
    entity_set: str
    columns: Collection[str]
    is_incremental: bool
