"""Replication: the method and the replication keys that a table can have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.extract.read import FULL_TABLE, INCREMENTAL, LOG_BASED
from tap_dynamics365.odata.edm import Primitive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.odata.edm import Table

# Types of columns that can be a replication key by default: points in time, and numbers of rows.
GROWING = {Primitive("Edm.DateTimeOffset"), Primitive("Edm.Int64")}


def possible_replication_keys(table: Table, candidates: Sequence[str]) -> list[str]:
    """Return the columns of a table that can be its replication key, the best one first.

    Args:
        table: The table.
        candidates: Columns that grow with each change, where a table has them.
    """
    growing = {column.name for column in table.columns if column.type in GROWING}
    return [name for name in candidates if name in growing]


def best_method(table: Table, wanted: str, replication_key: str | None) -> str:
    """Return the replication method of a table: the wanted one, or the next best.

    Args:
        table: The table.
        wanted: The method to use if the table supports it. LOG_BASED needs change tracking and a
            key of one column. INCREMENTAL needs a replication key.
        replication_key: The replication key; None if the table has none.
    """
    if wanted == LOG_BASED and table.tracked and len(table.key) == 1:
        return LOG_BASED
    return INCREMENTAL if replication_key else FULL_TABLE
