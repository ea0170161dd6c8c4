"""What the service is asked for, as it reads it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_dynamics365.query import build, instant


def test_nothing_wanted_is_no_query() -> None:
    assert build([]) == ""


def test_only_the_columns_wanted_are_asked_for() -> None:
    assert build(["accountid", "name", "_ownerid_value"]) == "$select=accountid,name,_ownerid_value"


def test_without_a_replication_key_the_order_does_not_matter() -> None:
    assert build(["name"], key=["accountid"]) == "$select=name"


def test_the_first_run_sorts_by_replication_key_then_key() -> None:
    assert (
        build(["name"], key=["accountid"], replication_key="modifiedon")
        == "$select=name&$orderby=modifiedon%20asc,accountid%20asc"
    )


def test_later_runs_begin_with_the_bookmark_itself() -> None:
    assert (
        build(["a"], key=["id"], replication_key="modifiedon", start="2026-01-31T08:00:00.5Z")
        == "$select=a&$filter=modifiedon%20ge%202026-01-31T08:00:00.5Z"
        "&$orderby=modifiedon%20asc,id%20asc"
    )


@pytest.mark.parametrize("start", [0, 1, 9_223_372_036_854_775_807])
def test_a_number_is_a_bookmark_too(start: int) -> None:
    query = parse_qs(build([], replication_key="versionnumber", start=start))
    assert query == {
        "$filter": [f"versionnumber ge {start}"],
        "$orderby": ["versionnumber asc"],
    }


def test_rows_are_sorted_by_all_parts_of_a_key() -> None:
    query = parse_qs(build([], key=["company", "number"], replication_key="modifiedon"))
    assert query["$orderby"] == ["modifiedon asc,company asc,number asc"]


def test_a_replication_key_that_is_of_the_key_is_sorted_by_once() -> None:
    query = parse_qs(build([], key=["number", "line"], replication_key="line"))
    assert query["$orderby"] == ["line asc,number asc"]


@pytest.mark.parametrize(
    "name", ["größe", "select", "年", "a&b", "a=b", "a+b", "a#b", "a%20b", "?"]
)
def test_awkward_names_reach_the_service_unchanged(name: str) -> None:
    query = parse_qs(build([name], key=[name], replication_key=name, start=1))
    assert query == {
        "$select": [name],
        "$filter": [f"{name} ge 1"],
        "$orderby": [f"{name} asc"],
    }


NAMES = st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1)
STARTS = st.one_of(st.none(), st.integers(min_value=0), NAMES)


@settings(deadline=None)
@given(
    st.lists(NAMES, min_size=1, unique=True),
    st.lists(NAMES, unique=True),
    st.none() | NAMES,
    STARTS,
)
def test_the_service_reads_what_was_meant(
    columns: list[str], key: list[str], replication_key: str | None, start: str | int | None
) -> None:
    query = build(columns, key=key, replication_key=replication_key, start=start)
    assert query.isascii()
    assert not set(query) & set('+ #"<>')
    expected = {"$select": [",".join(columns)]}
    if replication_key is not None:
        order = [replication_key, *(name for name in key if name != replication_key)]
        expected["$orderby"] = [",".join(f"{name} asc" for name in order)]
        if start is not None:
            expected["$filter"] = [f"{replication_key} ge {start}"]
    assert parse_qs(query) == expected


@pytest.mark.parametrize(
    ("moment", "literal"),
    [
        (datetime(2026, 1, 31, 8, tzinfo=UTC), "2026-01-31T08:00:00Z"),
        (datetime(2026, 1, 31, 8, 0, 0, 120_000, tzinfo=UTC), "2026-01-31T08:00:00.120000Z"),
        (datetime(2026, 1, 31, 8, tzinfo=timezone(timedelta(hours=9))), "2026-01-30T23:00:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "9999-12-31T23:59:59Z"),
    ],
)
def test_a_moment_is_written_in_utc(moment: datetime, literal: str) -> None:
    assert instant(moment) == literal


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@settings(deadline=None)
@given(
    st.datetimes(
        # Naive: any time zone keeps these within the years there are.
        min_value=datetime(1, 1, 2),  # noqa: DTZ001
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=ZONES,
    )
)
def test_a_moment_stays_the_same_moment(moment: datetime) -> None:
    literal = instant(moment)
    assert datetime.fromisoformat(literal) == moment
    assert literal.endswith("Z")
    assert ("." in literal) == bool(moment.microsecond)
