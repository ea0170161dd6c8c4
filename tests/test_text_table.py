"""Text tables: whatever is in them, they fit into a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.commands import listing
from tap_dynamics365.text_table import WIDTH, text_table, width

TEXTS = st.text(max_size=150)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of one to nine columns."""
    count = draw(st.integers(1, 9))
    line = st.lists(TEXTS, min_size=count, max_size=count)
    headings = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=30)
    names = st.lists(headings, min_size=count, max_size=count)
    return draw(names), draw(st.lists(line, max_size=5))


@given(tables(), st.sets(st.integers(0, 8)))
def test_lines_of_any_table_fit(table: tuple[list[str], list[list[str]]], right: set[int]) -> None:
    headings, rows = table
    lines = [*text_table(headings, rows, right=right)]
    assert len(lines) == 1 + len(rows)
    assert all(width(line) <= WIDTH for line in lines)
    assert all(line.isprintable() or not line.isascii() for line in lines)


@given(st.lists(st.lists(TEXTS, min_size=40, max_size=40), min_size=1, max_size=3))
def test_rows_of_any_values_fit(values: list[list[str]]) -> None:
    rows = [{f"column_{n}": text or None for n, text in enumerate(row)} for row in values]
    assert all(width(line) <= WIDTH for line in listing.rows_in_text(rows))


def test_text_that_fits_is_kept_and_numbers_are_aligned_to_the_right() -> None:
    rows = [["account", "8475"], ["Größe", "9"], ["会社", "12"]]
    assert [*text_table(["table", "rows"], rows, right=[1])] == [
        "table    rows",
        "account  8475",
        "Größe       9",
        "会社       12",
    ]


def test_text_that_does_not_fit_is_cut_off_but_not_in_the_first_column() -> None:
    name = "n" * 60
    _, line = text_table(["name", "text"], [[name, "word " * 20]])
    assert line == f"{name}  {('word ' * 20)[: WIDTH - 63]}…"


def test_text_of_several_lines_is_shown_on_one() -> None:
    assert [*text_table(["text"], [["one\ntwo\x1b[31m"]])] == ["text", "one two [31m"]
