"""State of one batch of rows while it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from sandbox.data.model import Table
    from sandbox.data.pools import Pools

Cells = list[Any]


def identifiers(rng: random.Random, count: int) -> list[str]:
    """Return GUIDs like the sequential ones of SQL Server, in random order."""
    result = []
    for _ in range(count):
        bits = f"{rng.getrandbits(80):020x}"
        result.append(f"{bits[:8]}-{bits[8:12]}-ee11-9{bits[12:14]}0-000d3a{bits[14:20]}")
    return result


class Drawing:
    """One batch of rows while it is made.

    Args:
        table: The table.
        rng: Source of random numbers.
        material: Pools of values.
        all_ids: Ids of the rows of every table, for lookups.
        ids: Ids of the rows of this batch.
        moments: When each row of this batch was last changed, in seconds from the start.
        version: Version number of the first row.

    Attributes:
        start: Number of the first row within its table.
        groups: Items that several columns are drawn from, by the name of the group.
        done: Values that are drawn already, by property name.
    """

    def __init__(  # noqa: PLR0913, PLR0917  - what the rows of a batch are drawn from
        self,
        table: Table,
        rng: random.Random,
        material: Pools,
        all_ids: dict[str, list[str]],
        ids: list[str],
        moments: list[int],
        version: int,
    ) -> None:
        self.table = table
        self.rng = rng
        self.pools = material
        self.all_ids = all_ids
        self.ids = ids
        self.moments = moments
        self.version = version
        self.start = 0
        self.count = len(ids)
        self.groups: dict[str, Sequence[Any]] = {}
        self.done: dict[str, Cells] = {}

    def group(self, name: str, pool: Sequence[Any]) -> Sequence[Any]:
        """Return what a group of columns is drawn from, one item a row, the same for each of them.

        Args:
            name: Name of the group.
            pool: What to choose the items from at the first call.
        """
        if name not in self.groups:
            self.groups[name] = self.rng.choices(pool, k=self.count)
        return self.groups[name]
