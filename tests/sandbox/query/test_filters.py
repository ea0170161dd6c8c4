"""Filters: parser and SQL, compared with an evaluation in Python."""

from __future__ import annotations

import contextlib
import operator
import sqlite3
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sandbox.data.model import Column, Kind, Model, Table
from sandbox.faults.errors import ServiceError
from sandbox.query import filters
from sandbox.query.sql import Condition

TABLE = Table(
    name="thing",
    set_name="things",
    columns=(
        Column("id", Kind.INTEGER, "id", "Edm.Int32"),
        Column("name", Kind.STRING, "name", "Edm.String"),
        Column("size", Kind.INTEGER, "size", "Edm.Int32"),
        Column("depth", Kind.INTEGER, "depth", "Edm.Int32"),
    ),
    key=("id",),
    primary_id="id",
)
MODEL = Model("Shop", "shop", (TABLE,))
NAMES = (None, "", "a", "A", "b'c", "Ä", "ä%", "and", "x_y")
SIZES = (None, -1, 0, 7)
ROWS = [
    {"id": number, "name": name, "size": size, "depth": depth}
    for number, (name, size, depth) in enumerate(
        (name, size, depth) for name in NAMES for size in SIZES for depth in (None, 0, 7)
    )
]
ORDER = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}
Tree = tuple[Any, ...]

comparisons = st.one_of(
    st.tuples(st.just("name"), st.sampled_from(["eq", "ne"]), st.sampled_from(NAMES)),
    st.tuples(
        st.just("size"), st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"]), st.integers(-2, 8)
    ),
    st.tuples(st.just("size"), st.sampled_from(["eq", "ne"]), st.none()),
    st.tuples(st.just("size"), st.sampled_from(["eq", "ne", "gt", "le"]), st.just("depth")),
    st.tuples(
        st.sampled_from(["contains", "startswith", "endswith"]),
        st.just("call"),
        st.sampled_from(["a", "A", "b'", "Ä", "y"]),
    ),
)
trees = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner), st.tuples(st.sampled_from(["and", "or"]), inner, inner)
    ),
    max_leaves=8,
)


def _literal(value: Any) -> str:  # noqa: ANN401  - text, number or null
    if value is None:
        return "null"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def _written(tree: Tree) -> str:
    match tree:
        case ("not", inner):
            return f"not ({_written(inner)})"
        case ("and" | "or" as word, left, right):
            return f"({_written(left)}) {word} ({_written(right)})"
        case (function, "call", text):
            return f"{function}(name,{_literal(text)})"
        case (column, word, "depth"):
            return f"{column} {word} depth"
        case (column, word, value):
            return f"{column} {word} {_literal(value)}"
    raise AssertionError(tree)


def _folded(value: Any) -> Any:  # noqa: ANN401  - text, number or null
    return value.casefold() if isinstance(value, str) else value


def _holds(  # noqa: PLR0911  - a rule for each sort of tree
    tree: Tree, row: dict[str, Any]
) -> bool:
    match tree:
        case ("not", inner):
            return not _holds(inner, row)
        case ("and", left, right):
            return _holds(left, row) and _holds(right, row)
        case ("or", left, right):
            return _holds(left, row) or _holds(right, row)
        case (function, "call", text):
            name, part = _folded(row["name"]), text.casefold()
            if name is None:
                return False
            if function == "contains":
                return bool(part in name)
            test = name.startswith if function == "startswith" else name.endswith
            return bool(test(part))
        case (column, word, value):
            left, right = row[column], row["depth"] if value == "depth" else value
            if word in {"eq", "ne"}:
                return bool((_folded(left) == _folded(right)) == (word == "eq"))
            return left is not None and right is not None and bool(ORDER[word](left, right))
    raise AssertionError(tree)


def _found(text: str) -> set[int]:
    condition = Condition(MODEL, TABLE)
    where = condition.write(filters.parse(text))
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.create_function("fold", 1, _folded)
        database.execute(
            "CREATE TABLE thing (id INTEGER, name TEXT COLLATE NOCASE, size INTEGER, depth INTEGER)"
        )
        database.executemany("INSERT INTO thing VALUES (:id, :name, :size, :depth)", ROWS)
        rows = database.execute(
            f"SELECT id FROM thing WHERE {where}",  # noqa: S608  - what is tested
            condition.parameters,
        )
        return {row[0] for row in rows}


@given(trees)
def test_filter_matches_what_python_matches(tree: Tree) -> None:
    assert _found(_written(tree)) == {row["id"] for row in ROWS if _holds(tree, row)}


@given(st.text(alphabet="abn '()eqgtord=,.:-TZ0123/@[]\\\"ä"))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(ServiceError):
        Condition(MODEL, TABLE).write(filters.parse(text))


def test_and_precedes_or() -> None:
    loose = _found("size eq 0 or size eq 7 and depth eq 0")
    assert loose == _found("size eq 0 or (size eq 7 and depth eq 0)")
    assert loose != _found("(size eq 0 or size eq 7) and depth eq 0")
