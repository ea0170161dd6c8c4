"""Rendering of rows: SQL expressions with which SQLite writes the JSON of a row.

Every column is present in every row, in the order of the document, with the etag first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sandbox.data.model import EXACT_TEXT
from sandbox.data.store import quoted
from sandbox.finance_operations import csdl
from sandbox.finance_operations.collation import ETAG
from sandbox.query.rendering import joined, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.data.model import Column, Table


def row(table: Table, columns: Iterable[Column] = (), *, etag: bool = True) -> str:
    """Return the SQL expression for a row's JSON object.

    Args:
        table: The table.
        columns: Columns to return. Empty returns all columns.
        etag: Whether the row has its `@odata.etag`.
    """
    hidden = ", ".join(quoted(name) for name in (csdl.VERSION, csdl.RECORD, csdl.JOINED))
    parts = [f'\',"@odata.etag":"W/\\"\' || {ETAG}({hidden}) || \'\\""\''] if etag else []
    parts += [
        f"{text(f',{json.dumps(column.property_name)}:')} || {_value(column)}"
        for column in columns or csdl.shown(table)
    ]
    return f"'{{' || substr({joined(parts)}, 2) || '}}'"


def _value(column: Column) -> str:
    name = quoted(column.property_name)
    if column.options is not None:
        members = "".join(
            f" WHEN {option.value} THEN {text(json.dumps(option.label.english))}"
            for option in column.options.options
        )
        return f"CASE {name}{members} ELSE 'null' END" if members else "'null'"
    if column.edm_type == "Edm.Boolean":
        return f"iif({name}, 'true', 'false')"
    if column.edm_type in EXACT_TEXT | {"Edm.Int32", "Edm.Int64"}:
        return name
    if column.edm_type == "Edm.DateTimeOffset":
        return f"'\"' || {name} || 'Z\"'"
    return f"json_quote({name})"
