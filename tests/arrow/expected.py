"""What a value becomes in Arrow, by the value that a row has and the type of its column."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tap_dynamics365.arrow import Reading


def value_of(found: Any, kind: pa.DataType) -> Any:  # noqa: ANN401 - whatever rows hold
    """Return a value as Arrow has to give it in Python; numbers have all their digits."""
    if found is None:
        return None
    if pa.types.is_timestamp(kind):
        moment = datetime.fromisoformat(found)
        return moment.astimezone(UTC) if kind.tz else moment.replace(tzinfo=None)
    return CONVERTED.get(kind, lambda value: value)(found)


CONVERTED: dict[pa.DataType, Callable[[Any], Any]] = {
    pa.binary(): b64decode,
    pa.date32(): lambda text: date.fromisoformat(text[:10]),
    pa.float64(): float,
}


def table_of(reading: Reading) -> pa.Table:
    """Read all batches, each of which must have the schema of the reading."""
    batches = list(reading)
    assert all(batch.schema.equals(reading.schema, check_metadata=True) for batch in batches)
    table = pa.Table.from_batches(batches, reading.schema)
    table.validate(full=True)
    return table


def by_key(rows: Iterable[Mapping[str, Any]], key: Iterable[str]) -> dict[tuple[Any, ...], Any]:
    """Return rows by their key."""
    names = list(key)
    return {tuple(row[name] for name in names): row for row in rows}


def assert_equal(table: pa.Table, rows: Iterable[Mapping[str, Any]], key: Iterable[str]) -> None:
    """Assert that a table has the values of rows, and no others."""
    names = [*key]
    expected, found = by_key(rows, names), by_key(table.to_pylist(), names)
    assert found.keys() == expected.keys()
    assert len(found) == table.num_rows
    for identity, row in found.items():
        for field in table.schema:
            value, wanted = row[field.name], value_of(expected[identity][field.name], field.type)
            if isinstance(wanted, (dict, list)):
                value = json.loads(value, parse_float=Decimal)
            assert value == wanted, (identity, field)
            assert type(value) is type(wanted) or isinstance(wanted, (int, Decimal))
