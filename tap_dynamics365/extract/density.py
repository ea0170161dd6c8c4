"""How densely a table's rows lie along its replication key."""

from __future__ import annotations

from dataclasses import dataclass

# How much of what was learnt before a page counts beside it: rows lie unevenly.
MEMORY = 0.5
# No page makes rows seem more than so many times as dense: of its own, all may share one value.
GROWTH = 4.0


@dataclass(frozen=True, slots=True)
class Density:
    """How many rows lie in how many units of the key.

    Attributes:
        rows: Rows.
        units: Units of the key.
    """

    rows: float = 0.0
    units: float = 0.0

    def updated(self, rows: int, units: int) -> Density:
        """Learn from a page.

        Args:
            rows: How many rows were read.
            units: In how many units of the key.
        """
        if not (self.rows and self.units):
            return Density(rows, units)
        expected = self.rows / self.units
        if rows > GROWTH * expected * units:
            return Density(rows, rows / GROWTH / expected)
        return Density(MEMORY * self.rows + rows, MEMORY * self.units + units)
