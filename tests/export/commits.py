"""Commits of one small table, and its rows at a destination."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa

from tap_dynamics365.export.destination import Commit, ExportedTable, Load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.export.places import Place

DELETED_AT = pa.field("_sdc_deleted_at", pa.timestamp("us", "UTC"))
SCHEMA = pa.schema(
    [
        pa.field("Id", pa.string(), nullable=False),
        pa.field("value", pa.decimal128(38, 4)),
        DELETED_AT,
    ]
)
PROPERTIES = {
    "Id": {"type": ["string"], "format": "uuid"},
    "value": {"type": ["number", "null"]},
    "_sdc_deleted_at": {"type": ["string", "null"], "format": "date-time"},
}
TABLE = ExportedTable("Account", SCHEMA, ("Id",), PROPERTIES)
NOW = dt.datetime(2026, 5, 6, 7, 8, 9, 123456, dt.UTC)


def key(number: int) -> str:
    """Return a key."""
    return str(UUID(int=number))


def commit(
    values: dict[int, str], deleted: Iterable[int] = (), *, load: Load | None = None, step: int = 1
) -> Commit:
    """Make a commit.

    Args:
        values: A value for each row, by its number.
        deleted: The numbers of rows that were deleted.
        load: The load.
        step: The bookmark.
    """
    rows: list[dict[str, Any]] = [
        *({"Id": key(number), "value": Decimal(value)} for number, value in values.items()),
        *({"Id": key(number), "_sdc_deleted_at": NOW} for number in deleted),
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    return Commit(TABLE, table, {"replication_key_value": step, "version": 7}, load)


def found(place: Place) -> Counter[tuple[int, str]]:
    """Return the numbers and values of the rows, and how often each is there."""
    return Counter(
        (UUID(str(row["Id"])).int, f"{row['value']:.4f}") for row in place.rows("Account")
    )


def expected(values: dict[int, str]) -> Counter[tuple[int, str]]:
    """Return the numbers and values of rows that are there once."""
    return Counter((number, f"{Decimal(value):.4f}") for number, value in values.items())
