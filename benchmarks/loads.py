"""What there is to read, as every program is told of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from benchmarks import tables


class Work(enum.Enum):
    """What a program has to do."""

    READ = "read"
    DISCOVER = "discover"
    READ_NOTHING_NEW = "read what is new, and nothing is"


@dataclass(frozen=True)
class Load:
    """One piece of work.

    Attributes:
        tables: which tables.
        columns: which columns of them; nothing means all.
        work: what to do with them.
    """

    tables: tuple[str, ...]
    columns: tuple[str, ...] = ()
    work: Work = Work.READ

    def query(self, table: str, *, select: bool = True) -> dict[str, str]:
        """The options of a plain query.

        Args:
            table: which.
            select: whether columns can be chosen.
        """
        options = {"$orderby": f"modifiedon asc,{table}id asc"}
        if self.columns and select:
            options["$select"] = ",".join(self.chosen(table))
        return options

    def chosen(self, table: str) -> list[str]:
        """The columns of a table that are to be read."""
        names = tables.columns(table)
        if not self.columns:
            return names
        kept = {*self.columns, f"{table}id", "modifiedon"}
        return [name for name in names if name in kept]
