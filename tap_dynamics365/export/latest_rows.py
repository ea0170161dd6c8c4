"""Latest rows: of rows with the same key, the one that was read last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from tap_dynamics365.export.destination import DELETED_AT

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The name of a column with the number of each row. No column of a service has it.
NUMBER = "#"


def latest(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    """Return the last row of each key. A row that changes while a table is read comes twice.

    Args:
        rows: The rows in the order in which they were read.
        key: The columns that identify a row; without any, all rows stay.
    """
    names = list(key)
    if not names or _groups(rows, names).aggregate([]).num_rows == rows.num_rows:
        return rows
    numbered = rows.append_column(NUMBER, pa.array(range(rows.num_rows)))
    last = _groups(numbered, names).aggregate([(NUMBER, "max")])
    return rows.take(pa.array(sorted(last[f"{NUMBER}_max"].to_pylist())))


def _groups(rows: pa.Table, names: list[str]) -> pa.TableGroupBy:
    return rows.group_by(names, use_threads=False)


def without_deleted(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Split rows into those that exist and those that were deleted.

    Args:
        rows: The rows.

    Returns:
        The rows that exist, and the rows that were deleted, both without the time of deletion.
    """
    if DELETED_AT not in rows.column_names:
        return rows, rows.slice(0, 0)
    exists = rows[DELETED_AT].is_null()
    is_deleted = rows[DELETED_AT].is_valid()
    content = rows.drop_columns([DELETED_AT])
    return content.filter(exists), content.filter(is_deleted)
