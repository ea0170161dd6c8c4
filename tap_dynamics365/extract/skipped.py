"""Skipped parts: tables that the service does not let be read, in the log.

A company that is closed to the user refuses each of its tables. The first refusal is logged, and at
the end, how many there were.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_dynamics365.errors import ServiceError
    from tap_dynamics365.extract.table import Table

logger = logging.getLogger("tap-dynamics365")


class Skipped:
    """Logs which tables and parts of tables are skipped in a run."""

    def __init__(self) -> None:
        # The names of the tables, by the name of the part.
        self._tables: dict[str, list[str]] = {}

    def note(self, table: Table, error: ServiceError) -> None:
        """Log that a table, or a part of it, is skipped.

        Args:
            table: The table.
            error: The refusal of the service.
        """
        level = logging.WARNING
        if (part := table.spec.part) is not None:
            tables = self._tables.setdefault(part.name, [])
            tables.append(table.spec.name)
            level = logging.WARNING if len(tables) == 1 else logging.DEBUG
        table.logger.log(level, "Skipped %r, which can't be read. %s", table.name, error.message)

    def conclude(self) -> None:
        """Log which tables were skipped in each part, if it was more than one."""
        for part, tables in self._tables.items():
            if len(tables) > 1:
                logger.warning(
                    "Skipped %d tables of %r: %s.", len(tables), part, ", ".join(sorted(tables))
                )
        self._tables.clear()
