"""Comparison of each value that Spark has with what the service holds."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]
# Text of the service, and what it becomes.
CONVERSIONS = (
    (pa.types.is_decimal, lambda raw: Decimal(str(raw))),
    (pa.types.is_floating, float),
    (pa.types.is_timestamp, datetime.fromisoformat),
    (pa.types.is_date, lambda raw: date.fromisoformat(raw[:10])),
    (pa.types.is_binary, base64.b64decode),
)


def saved(path: str) -> pa.Table:
    """Read the file of a result."""
    with pa.OSFile(path) as file:
        return pa.ipc.open_file(file).read_all()


def differences(found: pa.Table, held: Sequence[Row], key: str) -> list[str]:
    """Compare all values.

    Args:
        found: The rows of Spark.
        held: The rows of the service.
        key: The column that identifies a row.

    Returns:
        The differences, and rows that are missing or come twice.
    """
    wanted = {row[key]: row for row in held}
    rows = found.to_pylist()
    keys = [row[key] for row in rows]
    problems = [f"{len(keys)} rows instead of {len(wanted)}"] if len(keys) != len(wanted) else []
    problems += [f"keys: {wanted.keys() ^ {*keys}}"] if wanted.keys() != {*keys} else []
    for row in rows:
        raw = wanted.get(row[key], {})
        for field in found.schema:
            expected = _expected(raw.get(field.name), field.type, row[field.name])
            if row[field.name] != expected:
                problems.append(f"{field.name}: {row[field.name]!r} instead of {expected!r}")
    return problems


def _expected(raw: Any, kind: pa.DataType, value: Any) -> Any:  # noqa: ANN401 - any value
    """Return the value that a value of the service becomes."""
    if isinstance(raw, (list, dict)):
        return value if json.loads(value) == raw else raw
    for is_kind, convert in CONVERSIONS:
        if is_kind(kind) and raw is not None:
            expected = convert(raw)
            is_local = isinstance(expected, datetime) and kind.tz is None
            return expected.replace(tzinfo=None) if is_local else expected
    return raw
