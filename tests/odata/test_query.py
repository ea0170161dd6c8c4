"""Query options, as the service decodes them."""

from __future__ import annotations

import operator
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.query.filters import Both, Comparison, Literal, Path, parse
from tap_dynamics365.odata.keyset import Keyset, literal
from tap_dynamics365.odata.query import build, instant

if TYPE_CHECKING:
    from sandbox.query.filters import Expression


def test_query_without_options_is_empty() -> None:
    assert build([]) == ""


def test_query_requests_only_the_selected_columns() -> None:
    assert build(["accountid", "name", "_ownerid_value"]) == "$select=accountid,name,_ownerid_value"


def test_query_without_a_replication_key_has_no_order() -> None:
    assert build(["name"]) == "$select=name"


def test_query_of_a_first_run_sorts_by_replication_key_and_key() -> None:
    assert (
        build(["name"], order=["modifiedon", "accountid"], bounded="modifiedon")
        == "$select=name&$orderby=modifiedon%20asc,accountid%20asc"
    )


def test_query_of_a_later_run_begins_with_the_bookmark() -> None:
    assert (
        build(
            ["a"],
            order=["modifiedon", "id"],
            bounded="modifiedon",
            start="2026-01-31T08:00:00.5Z",
        )
        == "$select=a&$filter=modifiedon%20ge%202026-01-31T08:00:00.5Z"
        "&$orderby=modifiedon%20asc,id%20asc"
    )


@pytest.mark.parametrize("start", [0, 1, 9_223_372_036_854_775_807])
def test_query_with_a_number_as_bookmark_begins_with_it(start: int) -> None:
    query = parse_qs(build([], order=["versionnumber"], bounded="versionnumber", start=start))
    assert query == {
        "$filter": [f"versionnumber ge {start}"],
        "$orderby": ["versionnumber asc"],
    }


def test_query_sorts_by_all_columns_of_the_order() -> None:
    query = parse_qs(build([], order=["modifiedon", "company", "number"]))
    assert query["$orderby"] == ["modifiedon asc,company asc,number asc"]


@pytest.mark.parametrize(
    "name", ["größe", "select", "年", "a&b", "a=b", "a+b", "a#b", "a%20b", "?"]
)
def test_names_with_unusual_characters_reach_the_service_unchanged(name: str) -> None:
    query = parse_qs(build([name], order=[name], bounded=name, start=1))
    assert query == {
        "$select": [name],
        "$filter": [f"{name} ge 1"],
        "$orderby": [f"{name} asc"],
    }


NAMES = st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1)
STARTS = st.one_of(st.none(), st.integers(min_value=0), NAMES)


@given(
    st.lists(NAMES, min_size=1, unique=True),
    st.lists(NAMES, unique=True),
    st.none() | NAMES,
    STARTS,
)
def test_query_is_decoded_by_the_service_as_written(
    columns: list[str], order: list[str], replication_key: str | None, start: str | int | None
) -> None:
    query = build(columns, order=order, bounded=replication_key, start=start)
    assert query.isascii()
    assert not set(query) & set('+ #"<>')
    expected = {"$select": [",".join(columns)]}
    if order:
        expected["$orderby"] = [",".join(f"{name} asc" for name in order)]
    if replication_key is not None and start is not None:
        expected["$filter"] = [f"{replication_key} ge {start}"]
    assert parse_qs(query) == expected


Row = dict[str, int | str | None]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "changed": st.none() | st.integers(0, 4),
            "company": st.text("ab'", max_size=2),
            "number": st.integers(-2, 2),
        }
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: (row["company"], row["number"]),
)


def found(tree: Expression, row: Row) -> bool:
    """Tell whether a filter lets a row through."""
    match tree:
        case Both("and", left, right):
            return found(left, row) and found(right, row)
        case Both("or", left, right):
            return found(left, row) or found(right, row)
        case Comparison("ne", Path(name), Literal("null", _)):
            return row[name] is not None
        case Comparison(compare, Path(name), Literal(kind, text)):
            value, other = row[name], text if kind == "string" else int(text)
            if value is None:
                return False
            return bool(getattr(operator, compare)(value, other))
    raise AssertionError(tree)


@given(ROWS, st.data(), st.none() | st.integers(0, 5))
def test_rows_after_a_row_are_those_that_follow_in_order(
    rows: list[Row], data: st.DataObject, stop: int | None
) -> None:
    columns: dict[str, Any] = {
        "changed": {"type": ["integer", "null"]},
        "company": {"type": ["string"]},
        "number": {"type": ["integer"]},
    }
    rows.sort(
        key=lambda row: (
            row["changed"] is not None,
            row["changed"] or 0,
            row["company"],
            row["number"],
        )
    )
    read = data.draw(st.integers(1, len(rows)))
    texts = [msgspec.Raw(msgspec.json.encode(row)) for row in rows[:read]]
    end = Keyset("changed", ["company", "number"], columns).end(texts)
    assert end is not None
    query = build([], bounded="changed", start=0, stop=stop, after=end)
    (text,) = parse_qs(query)["$filter"]
    # Of rows without a value none are asked for where there is a value to begin or to end with.
    wanted = [
        row
        for row in rows[read:]
        if row["changed"] is not None and (stop is None or int(row["changed"]) < stop)
    ]
    assert [row for row in rows if found(parse(text), row)] == wanted
    if rows[read - 1]["changed"] is None:
        everything = build([], bounded="changed", after=end)
        (text,) = parse_qs(everything)["$filter"]
        assert [row for row in rows if found(parse(text), row)] == rows[read:]


@pytest.mark.parametrize(
    ("column", "text", "expected"),
    [
        ({"type": ["string"], "format": "uuid"}, '"0389906d-de2d"', "0389906d-de2d"),
        ({"type": ["string"], "format": "date-time"}, '"2026-01-31T08:00:00.5Z"', None),
        ({"type": ["string"], "format": "date"}, '"2026-01-31"', "2026-01-31"),
        ({"type": ["string"]}, '"O\'Neil \\u00df"', "'O''Neil ß'"),
        ({"type": ["integer"]}, "9223372036854775807", "9223372036854775807"),
        ({"type": ["number"]}, "12345678901.1234000000", "12345678901.1234000000"),
        ({"type": ["boolean"]}, "true", "true"),
    ],
)
def test_literal_has_the_form_of_its_type(
    column: dict[str, Any], text: str, expected: str | None
) -> None:
    assert literal(text.encode(), column) == (expected or text.strip('"'))


@pytest.mark.parametrize(
    ("ids", "row"),
    [
        ([], '{"changed":1}'),
        (["id"], '{"changed":1,"id":null}'),
        (["id"], '{"changed":1}'),
        (["id"], '{"changed":1,"id":{"a":1}}'),
        (["_accountid_value"], '{"changed":1,"_accountid_value":"0389906d-de2d"}'),
    ],
    ids=["no key", "null", "missing", "an object", "a lookup, which is sorted by a name"],
)
def test_keyset_with_a_lookup_has_no_end(ids: list[str], row: str) -> None:
    assert Keyset("changed", ids, {}).end([msgspec.Raw(row.encode())]) is None


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 1, 31, 8, tzinfo=UTC), "2026-01-31T08:00:00Z"),
        (datetime(2026, 1, 31, 8, 0, 0, 120_000, tzinfo=UTC), "2026-01-31T08:00:00.120000Z"),
        (datetime(2026, 1, 31, 8, tzinfo=timezone(timedelta(hours=9))), "2026-01-30T23:00:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "9999-12-31T23:59:59Z"),
    ],
)
def test_instant_is_written_in_utc(moment: datetime, written: str) -> None:
    assert instant(moment) == written


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.datetimes(
        # Naive: any time zone keeps these within the years there are.
        min_value=datetime(1, 1, 2),  # noqa: DTZ001
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=ZONES,
    )
)
def test_instant_of_any_time_zone_stays_the_same(moment: datetime) -> None:
    written = instant(moment)
    assert datetime.fromisoformat(written) == moment
    assert written.endswith("Z")
    assert ("." in written) == bool(moment.microsecond)
