"""Keyset pagination where the service's links count rows, against a model of such a service."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.query.filters import Both, Comparison, Literal, Path, parse
from tap_dynamics365.extract.range import Range
from tap_dynamics365.odata.keyset import Keyset
from tap_dynamics365.odata.page import RawPage
from tap_dynamics365.odata.query import build

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.query.filters import Expression

# Keys as Finance & Operations has them: texts, a number, and members of an enumeration.
COLUMNS: dict[str, Any] = {
    "company": {"type": ["string"]},
    "kind": {"type": ["string", "null"]},
    "account": {"type": ["string"]},
    "line": {"type": ["number"]},
}
IDS = tuple(COLUMNS)
# Texts that a database may take for equal to others, or a filter for a pattern.
TEXTS = st.sampled_from(["a", "A", "a ", "b*", ""])
Row = dict[str, Any]


def folded(text: str) -> str:
    """The text as a database without case compares it: blanks at its end don't count."""
    return text.rstrip(" ").lower()


def place(row: Row, order: Sequence[str]) -> tuple[Any, ...]:
    """The place of a row in the order of a database; null comes first."""
    values = [row[name] for name in order]
    return tuple(
        (value is not None, folded(value) if isinstance(value, str) else value or 0)
        for value in values
    )


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "company": TEXTS,
            "kind": st.none() | st.sampled_from(["Yes", "No", "Other"]),
            "account": TEXTS,
            "line": st.integers(0, 1),
        }
    ),
    max_size=25,
    unique_by=lambda row: place(row, IDS),
)


def lets_through(tree: Expression, row: Row) -> bool:
    """Tell whether a filter lets a row through. It may only compare what can be compared."""
    match tree:
        case Both("and", left, right):
            return lets_through(left, row) and lets_through(right, row)
        case Both("or", left, right):
            return lets_through(left, row) or lets_through(right, row)
        case Comparison("ge" | "gt" as compare, Path(name), Literal(kind, text)):
            assert name != "kind"
            value, other = row[name], text if kind == "string" else float(text)
            if isinstance(value, str):
                value, other = folded(value), folded(str(other))
            return bool(getattr(operator, compare)(value, other))
    raise AssertionError(tree)


def answer(rows: Sequence[Row], query: str, size: int) -> RawPage:
    """Answer a query with a page, as a service does whose links count rows."""
    options = {name: text for name, (text,) in parse_qs(query).items()}
    order = [part.partition(" ")[0] for part in options["$orderby"].split(",")]
    tree = parse(options["$filter"]) if "$filter" in options else None
    found = [row for row in rows if tree is None or lets_through(tree, row)]
    found.sort(key=lambda row: place(row, order))
    found = found[int(options.get("$skip", 0)) :]
    texts = [msgspec.Raw(msgspec.json.encode(row)) for row in found[:size]]
    return RawPage(b"", texts, "$skip=…" if len(found) > size else None, asked=size)


@given(ROWS, st.permutations(IDS), st.integers(1, 7), st.data())
def test_no_row_is_lost_or_sent_twice_while_others_come_and_go(
    rows: list[Row], ids: list[str], size: int, data: st.DataObject
) -> None:
    keyset = Keyset(None, ids, COLUMNS, replaces_links=True)
    comparable = [name for name in ids if name != "kind"]
    assert keyset.order == (*comparable, "kind")
    assert keyset.columns == tuple(comparable)
    there = [*rows]
    whole, sent = Range(), []
    while not whole.done:
        query = build([], order=keyset.order, after=whole.end, skip=whole.skip)
        page = keyset.locate(answer(there, query, size))
        sent += [msgspec.json.decode(row) for row in page.rows]
        whole.follow(page)
        # Rows that were sent may go, except where rows can only be counted.
        if not whole.skip and sent:
            gone = data.draw(st.lists(st.sampled_from(sent), max_size=2), label="gone")
            there = [row for row in there if row not in gone]
    assert sorted(sent, key=lambda row: place(row, IDS)) == sorted(
        rows, key=lambda row: place(row, IDS)
    )


def test_rows_that_differ_only_in_an_enumeration_are_counted_if_they_fill_a_page() -> None:
    kinds = ["A", "B", "C", "D", None]
    rows = [{"company": "x", "kind": kind, "account": "a", "line": 1} for kind in kinds]
    keyset = Keyset(None, ["company", "kind"], COLUMNS, replaces_links=True)
    whole, pages = Range(), []
    while not whole.done:
        query = build([], order=keyset.order, after=whole.end, skip=whole.skip)
        page = keyset.locate(answer(rows, query, 2))
        pages.append([msgspec.json.decode(row)["kind"] for row in page.rows])
        whole.follow(page)
    assert pages == [[None, "A"], ["B", "C"], ["D"]]


@pytest.mark.parametrize("ids", [["kind"], ["flag"], ["content"], ["kind", "flag"]], ids="+".join)
def test_keys_without_a_column_that_can_be_compared_are_read_by_links(ids: list[str]) -> None:
    columns = COLUMNS | {
        "flag": {"type": ["boolean"]},
        "content": {"type": ["string"], "contentEncoding": "base64"},
    }
    keyset = Keyset(None, ids, columns, replaces_links=True)
    assert keyset.order == tuple(ids)
    assert keyset.columns == ()


def test_condition_for_rows_after_a_row_has_no_eq() -> None:
    after = {"a": "'A*1'", "b": "'x '", "c": "5637144604"}
    (text,) = parse_qs(build([], after=after))["$filter"]
    assert text == ("a ge 'A*1' and (a gt 'A*1' or (b ge 'x ' and (b gt 'x ' or c gt 5637144604)))")


def test_condition_grows_with_the_key_by_a_constant() -> None:
    after = {f"c{number}": "'x'" for number in range(20)}
    assert len(build([], after=after)) < 2_000
