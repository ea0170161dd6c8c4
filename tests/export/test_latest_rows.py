"""Rows with the same key: the last one stays."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.export.latest_rows import latest

SCHEMA = pa.schema([("company", pa.string()), ("number", pa.int64()), ("value", pa.int64())])
ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.integers(0, 9)))


@given(rows=ROWS)
def test_latest_rows_are_the_last_of_each_key_in_their_order(
    rows: list[tuple[str, int, int]],
) -> None:
    table = pa.Table.from_pylist(
        [dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA
    )
    last = {(company, number): at for at, (company, number, _) in enumerate(rows)}
    expected = [rows[at] for at in sorted(last.values())]
    found = latest(table, ("company", "number"))
    assert [tuple(row.values()) for row in found.to_pylist()] == expected
    assert latest(table, ()) is table
