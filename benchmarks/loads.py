"""Loads: the tables and columns to read, described independently of the programs."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from benchmarks import tables


class Work(enum.Enum):
    """Kind of work."""

    READ = "read"
    DISCOVER = "discover"
    READ_NOTHING_NEW = "read changes, without any"


@dataclass(frozen=True)
class Load:
    """The work of a program in a case.

    Attributes:
        tables: Names of the tables.
        columns: Names of the columns; empty means all.
        work: The kind of work.
    """

    tables: tuple[str, ...]
    columns: tuple[str, ...] = ()
    work: Work = Work.READ

    def query(self, table: str, *, select: bool = True) -> dict[str, str]:
        """The query options of a plain request.

        Args:
            table: Name of the table.
            select: Whether to select columns.
        """
        options = {"$orderby": f"modifiedon asc,{table}id asc"}
        if self.columns and select:
            options["$select"] = ",".join(self.chosen(table))
        return options

    def chosen(self, table: str) -> list[str]:
        """The columns of a table to read."""
        names = tables.columns(table)
        if not self.columns:
            return names
        kept = {*self.columns, f"{table}id", "modifiedon"}
        return [name for name in names if name in kept]
