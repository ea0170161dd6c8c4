"""Density: an estimate of how many rows there are per unit of the replication key."""

from __future__ import annotations

from dataclasses import dataclass

# The weight of earlier pages. Rows are distributed unevenly, so the newest page counts more.
MEMORY = 0.5
# The most by which one page increases the density. All its rows may have the same value.
GROWTH = 4.0


@dataclass(frozen=True, slots=True)
class Density:
    """A number of rows in a number of units of the key.

    Attributes:
        rows: The number of rows.
        units: The number of units.
    """

    rows: float = 0.0
    units: float = 0.0

    def updated(self, rows: int, units: int) -> Density:
        """Return the density that takes one more page into account.

        Args:
            rows: The number of rows of the page.
            units: The number of units of the key that the page covers.
        """
        if not (self.rows and self.units):
            return Density(rows, units)
        expected = self.rows / self.units
        if rows > GROWTH * expected * units:
            return Density(rows, rows / GROWTH / expected)
        return Density(MEMORY * self.rows + rows, MEMORY * self.units + units)
