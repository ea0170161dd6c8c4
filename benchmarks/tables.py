"""The tables that are read, with the number of their columns."""

from __future__ import annotations

from tools import organisation
from tools.organisation import NARROW, TYPICAL, WIDE

SMALL_TABLES = [f"bench_small{number:02d}" for number in range(1, 41)]
COLUMNS = {
    "bench_narrow": NARROW,
    "bench_typical": TYPICAL,
    "bench_wide": WIDE,
    "bench_large": TYPICAL,
    **dict.fromkeys(SMALL_TABLES, TYPICAL),
}


def typed_columns(table: str) -> list[tuple[str, str]]:
    """The names of a table's columns, with their types."""
    return list(organisation.columns(table, COLUMNS[table]))


def columns(table: str) -> list[str]:
    """The names of a table's columns."""
    return [name for name, _ in typed_columns(table)]
