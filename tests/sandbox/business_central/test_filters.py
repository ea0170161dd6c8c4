"""Filters and orders, generated, against a model of them in Python."""

from __future__ import annotations

import operator
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.business_central.companies import MAIN
from sandbox.data.guids import sortable
from tests.sandbox.api import Api

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.central_client import CentralSandbox

Row = dict[str, Any]
Test = tuple[str, "Callable[[Row], bool]", frozenset[str]]
ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
KINDS = {
    "id": (str, sortable),
    "number": ("'{}'".format, str),
    "displayName": (lambda text: "'" + text.replace("'", "''") + "'", str),
    "creditLimit": (str, Decimal),
    "lastModifiedDateTime": (str, lambda text: text.removesuffix("Z")),
    "taxLiable": (lambda value: str(value).lower(), bool),
}
UNORDERED = {"taxLiable": ("eq", "ne")}
OPTIONS = settings(max_examples=40, suppress_health_check=[*HealthCheck])


def rows(sandbox: CentralSandbox) -> list[Row]:
    """The customers of the main company."""
    return [row for row in sandbox.rows("customers") if row["$company"] == MAIN.id]


def comparison(name: str, order: str, value: Any) -> Test:  # noqa: ANN401  - a cell
    """A comparison of a column with a value: its text, its result, and its columns."""
    written, sort = KINDS[name]
    wanted = sort(value)
    return (
        f"{name} {order} {written(value)}",
        lambda row: ORDERS[order](sort(row[name]), wanted),
        frozenset({name}),
    )


def joined(word: str, left: Test, right: Test) -> Test:
    """Two tests, joined by `and` or `or`."""
    both = {"and": lambda a, b: a and b, "or": lambda a, b: a or b}[word]
    return (
        f"({left[0]} {word} {right[0]})",
        lambda row: both(left[1](row), right[1](row)),
        left[2] | right[2],
    )


def refused(text: str, names: frozenset[str]) -> bool:
    """Whether a test has `or` over several columns; each test has one word alone."""
    return " or " in text and len(names) > 1


@st.composite
def comparisons(draw: st.DrawFn, every: list[Row]) -> list[Test]:
    """Some comparisons with values that rows have."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from([*KINDS]))
        order = draw(st.sampled_from(UNORDERED.get(name, tuple(ORDERS))))
        found.append(comparison(name, order, draw(st.sampled_from(every))[name]))
    return found


@OPTIONS
@given(data=st.data())
def test_generated_filters_find_the_rows_of_the_model(
    shared_central: CentralSandbox, data: st.DataObject
) -> None:
    every = rows(shared_central)
    parts = data.draw(comparisons(every))
    word = data.draw(st.sampled_from(["and", "or"]))
    whole = parts[0]
    for part in parts[1:]:
        whole = joined(word, whole, part)
    text, holds, names = whole
    api = Api(shared_central)
    path = f"customers?$filter={quote(text, safe='')}"
    if refused(text, names):
        assert api.refusal(path)[0] == 501
        return
    expected = sorted((row["id"] for row in every if holds(row)), key=sortable)
    assert [row["id"] for row in api.rows(path, 7)] == expected


@OPTIONS
@given(data=st.data())
def test_generated_orders_sort_the_rows_as_the_model(
    shared_central: CentralSandbox, data: st.DataObject
) -> None:
    every = rows(shared_central)
    names = data.draw(st.lists(st.sampled_from([*KINDS]), min_size=1, max_size=3, unique=True))
    down = data.draw(st.lists(st.booleans(), min_size=len(names), max_size=len(names)))
    expected = sorted(every, key=lambda row: sortable(row["id"]))
    for name, descending in reversed([*zip(names, down, strict=True)]):
        sort = KINDS[name][1]
        expected.sort(key=lambda row, n=name, s=sort: s(row[n]), reverse=descending)
    order = ",".join(
        f"{name} desc" if descending else name for name, descending in zip(names, down, strict=True)
    )
    found = Api(shared_central).rows(f"customers?$orderby={order}", 11)
    assert [row["id"] for row in found] == [row["id"] for row in expected]


@OPTIONS
@given(texts=st.lists(st.text("ab',() in", max_size=9), min_size=1, max_size=4))
def test_in_list_finds_what_or_finds(shared_central: CentralSandbox, texts: list[str]) -> None:
    literals = ["'" + text.replace("'", "''") + "'" for text in ["Service", *texts]]
    chain = " or ".join(f"displayName eq {literal}" for literal in literals)
    listed = f"displayName in ({','.join(literals)})"
    api = Api(shared_central)
    by_list = api.read(f"customers?$schemaversion=2.1&$filter={quote(listed, safe='')}")
    assert by_list["value"] == api.read(f"customers?$filter={quote(chain, safe='')}")["value"]
