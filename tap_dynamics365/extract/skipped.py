"""Skipped parts: tables that the service does not let be read, in the log.

A company that is closed to the user refuses each of its tables, and a table that is denied is so in
all companies. The first refusal is logged, and at the end, how many there were.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_dynamics365.errors import ServiceError
    from tap_dynamics365.extract.table import Table

logger = logging.getLogger("tap-dynamics365")


class Skipped:
    """Logs which tables and parts of tables are skipped in a run."""

    def __init__(self) -> None:
        # The names of the tables, by the name of the part.
        self._tables: dict[str, list[str]] = {}
        # The parts and tables of which a refusal was logged.
        self._logged: list[tuple[str, str]] = []

    def note(self, table: Table, error: ServiceError) -> None:
        """Log that a table, or a part of it, is skipped.

        Args:
            table: The table.
            error: The refusal of the service.
        """
        name, level = table.spec.name, logging.WARNING
        if (part := table.spec.part) is not None:
            self._tables.setdefault(part.name, []).append(name)
            if any(part.name == of or name == logged for of, logged in self._logged):
                level = logging.DEBUG
            else:
                self._logged.append((part.name, name))
        table.logger.log(level, "Skipped %r, which can't be read. %s", table.name, error.message)

    def conclude(self, everywhere: Collection[str]) -> None:
        """Log which tables were skipped in each part.

        Args:
            everywhere: The tables that were skipped in all parts, and are named elsewhere.
        """
        for part, tables in self._tables.items():
            left = sorted({*tables} - {*everywhere})
            if left and (len(left) > 1 or (part, left[0]) not in self._logged):
                noun = "table" if len(left) == 1 else "tables"
                logger.warning("Skipped %d %s of %r: %s.", len(left), noun, part, ", ".join(left))
        self._tables.clear()
