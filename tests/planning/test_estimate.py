"""Estimate: its arithmetic, what is unknown, and its advice, for tables of known size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tap_dynamics365.connection import connect
from tap_dynamics365.errors import Failure, ServiceError
from tap_dynamics365.extract.read import FULL_TABLE, INCREMENTAL, LOG_BASED
from tap_dynamics365.extract.table import TableSpec
from tap_dynamics365.planning.estimate import estimate
from tap_dynamics365.planning.notes import notes
from tap_dynamics365.planning.page_sizes import MeasuredPage
from tap_dynamics365.planning.plan import Advice, Change, Kind, Load, Plan
from tap_dynamics365.planning.row_counts import RowCount, Source
from tap_dynamics365.planning.tables import PlannedTable
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.settings.configs import ACCESS_TOKEN, SERVICE, TOKEN

FINANCE = {"service_url": "https://org.operations.dynamics.com/data/", "access_token": TOKEN}
PAGE = MeasuredPage(rows=100, wire_bytes=5_000, seconds=2.0, is_last=False)
TEXT = {"type": ["string", "null"]}
SCHEMA = {
    "id": {"type": "string", "format": "uuid"},
    "modifiedon": {"type": ["string", "null"], "format": "date-time"},
    "notes": TEXT,
    "name": TEXT,
    "amounts": {"type": ["number", "null"]},
}


def table(
    name: str, method: str = INCREMENTAL, *, tracked: bool = False, **changes: Any
) -> PlannedTable:
    """A table. One that is replicated FULL_TABLE has no replication key."""
    spec = TableSpec(
        name=name,
        entity_set=f"{name}s",
        place=lambda entity_set, _: f"{SERVICE}{entity_set}",
        schema=SCHEMA,
        columns=tuple(SCHEMA),
        row_key=("id",),
        stream_key=("id",),
        method=method,
        replication_key=None if method == FULL_TABLE else "modifiedon",
    )
    parts = [replace(spec, **changes)]
    return PlannedTable(name=name, label=None, parts=parts, tracks_changes=tracked)


def plan(
    rows: dict[str, int],
    *tables: PlannedTable,
    pages: dict[str, MeasuredPage | ServiceError] | None = None,
    config: dict[str, Any] = ACCESS_TOKEN,
    **wish: Any,
) -> Plan:
    """The plan for tables with so many rows, and pages of 100 rows."""
    settings = Settings.from_config({**config, "fetch_size": 100, **wish}, JSON_SCHEMA)
    counts = {name: RowCount([count], Source.SNAPSHOT) for name, count in rows.items()}
    return estimate(tables, connect(settings), settings, counts=counts, pages=pages)


def advice(found: Plan, kind: Kind) -> Advice | None:
    return next((each for each in found.advice if each.kind is kind), None)


def test_bytes_and_seconds_are_those_of_the_measured_page_times_rows_and_requests() -> None:
    found = plan({"a": 1_000}, table("a", FULL_TABLE), pages={"a": PAGE})
    (one,) = found.tables
    assert one.first_load == Load(rows=1_000, requests=10, wire_bytes=50_000, seconds=20.0)
    assert one.each_run == one.first_load
    # It is read page by page, however many requests may be in flight.
    assert found.first_load == one.first_load


def test_seconds_of_tables_in_ranges_are_shared_by_the_requests_in_flight() -> None:
    pages: dict[str, MeasuredPage | ServiceError] = {"a": PAGE, "b": PAGE}
    tables = (table("a"), table("b"))
    counts = {"a": 1_000, "b": 1_000}
    # 10 pages, the greatest value of the key, and 1 because ranges end within a page.
    assert plan(counts, *tables, pages=pages).first_load == Load(
        rows=2_000, requests=24, wire_bytes=100_000, seconds=6.0
    )
    alone = plan(counts, *tables, pages=pages, max_parallel_requests=1)
    assert alone.first_load == Load(rows=2_000, requests=20, wire_bytes=100_000, seconds=40.0)
    assert alone.each_run == Load(rows=2, requests=2, wire_bytes=100, seconds=4.0)
    assert alone.parallel_requests == 1


def test_rows_of_a_page_that_is_the_last_one_are_all_rows() -> None:
    page = replace(PAGE, rows=30, is_last=True)
    (one,) = plan({"a": 1_000}, table("a"), pages={"a": page}).tables
    assert (one.first_load.rows, one.first_load.requests) == (30, 1)
    assert one.source is Source.PAGE


def test_rows_are_more_than_those_of_a_page_with_rows_after_it() -> None:
    (one,) = plan({"a": 0}, table("a", FULL_TABLE), pages={"a": PAGE}).tables
    assert (one.first_load.rows, one.first_load.requests) == (101, 2)


def test_page_that_is_larger_than_asked_for_makes_fewer_requests() -> None:
    page = replace(PAGE, rows=1_000)
    (one,) = plan({"a": 2_500}, table("a", FULL_TABLE), pages={"a": page}).tables
    assert one.first_load.requests == 3


def test_estimate_of_unknown_rows_leaves_them_out_of_the_sums_and_names_them() -> None:
    found = plan({"a": 250}, table("a", FULL_TABLE), table("b", FULL_TABLE), table("c"))
    _, full, incremental = found.tables
    assert full.first_load == full.each_run == Load()
    assert incremental.first_load == Load()
    assert incremental.each_run == Load(requests=1)
    assert found.first_load == Load(rows=250, requests=3)
    assert found.each_run == Load(rows=250, requests=4)
    assert [limit.first_load for limit in found.limits] == [3 / 6_000, None, 3 / 40_000]
    said = [*notes(found)]
    assert "The number of rows is unknown, and left out of the sums: b, c." in said
    assert "Bytes and time are unknown, because no pages were read." in said
    nothing = plan({}, table("b"))
    assert nothing.first_load == Load()


def test_table_that_is_refused_is_estimated_without_bytes_and_named() -> None:
    refusal = ServiceError("Not for you.", Failure.DENIED)
    found = plan({"a": 250}, table("a"), pages={"a": refusal})
    assert found.first_load.requests == 4
    assert found.first_load.wire_bytes is found.first_load.seconds is None
    assert "a can't be read: Not for you." in [*notes(found)]


@pytest.mark.parametrize(
    ("changes", "first", "later"),
    [
        ({}, 4, 1),
        ({"row_filter": "name eq 'x'"}, 4, 1),
        # A key that users fill may be empty.
        ({"replication_key": "createdon_of_user"}, 4, 2),
    ],
)
def test_requests_depend_on_the_replication_key(
    changes: dict[str, Any], first: int, later: int
) -> None:
    schema = {**SCHEMA, "createdon_of_user": SCHEMA["modifiedon"]}
    (one,) = plan({"a": 250}, table("a", schema=schema, **changes)).tables
    assert (one.first_load.requests, one.each_run.requests) == (first, later)
    assert one.may_be_fewer is ("row_filter" in changes)


def test_log_based_needs_change_tracking_and_a_key_of_one_column() -> None:
    tracked = table("a", LOG_BASED, tracked=True)
    untracked = table("b", LOG_BASED)
    two = table("c", LOG_BASED, tracked=True, row_key=("id", "name"), stream_key=("id", "name"))
    found = plan({"a": 250, "b": 250, "c": 250}, tracked, untracked, two)
    assert [one.method for one in found.tables] == [LOG_BASED, INCREMENTAL, INCREMENTAL]
    # A page too many, 3 of ids, 3 of rows with the greatest key, and the changes since.
    assert [one.first_load.requests for one in found.tables] == [9, 4, 4]
    assert [one.each_run.rows for one in found.tables] == [0, 1, 1]


def test_limits_are_shares_of_the_busiest_five_minutes() -> None:
    slow = replace(PAGE, seconds=30.0)
    found = plan({"a": 6_000}, table("a", FULL_TABLE), pages={"a": slow})
    requests, work, daily = found.limits
    assert (requests.unit, requests.full, work.unit, work.full) == (
        "requests",
        6_000,
        "seconds of work",
        1_200,
    )
    # 60 requests in 1,800 seconds.
    assert requests.first_load == pytest.approx(10 / 6_000)
    assert work.first_load == pytest.approx(300 / 1_200)
    assert (daily.full, daily.period, daily.first_load) == (40_000, "24 hours", 60 / 40_000)
    assert advice(found, Kind.LIMIT) is None
    finance = plan({"a": 6_000}, table("a", FULL_TABLE), config=FINANCE)
    assert finance.limits == []
    assert any("Finance & Operations documents no number" in note for note in notes(finance))


def test_load_that_takes_half_of_a_limit_is_worth_an_advice() -> None:
    near = plan({"a": 300_000}, table("a", FULL_TABLE))
    found = advice(near, Kind.LIMIT)
    assert found is not None
    assert found.sentence.startswith(
        "The first load takes 50% of the 6,000 requests that Dataverse lets one user take in 5 "
        "minutes."
    )
    assert advice(plan({"a": 299_900}, table("a", FULL_TABLE)), Kind.LIMIT) is None


def test_load_that_takes_half_of_a_day_is_worth_an_advice_of_its_own() -> None:
    slow = replace(PAGE, seconds=1.0)
    found = advice(plan({"a": 2_000_000}, table("a", FULL_TABLE), pages={"a": slow}), Kind.LIMIT)
    assert found is not None
    assert found.sentence.startswith(
        "The first load takes 50% of the 40,000 requests that Dataverse includes in a paid licence "
        "for 24 hours. Load the tables on several days"
    )
    # Such requests are not refused.
    assert "refused" not in found.sentence


def test_full_table_whose_changes_are_tracked_is_advised_to_be_log_based() -> None:
    found = plan({"a": 6_900}, table("a", FULL_TABLE, tracked=True))
    assert found.advice == [
        Advice(
            kind=Kind.LOG_BASED,
            tables=["a"],
            sentence="Each run reads all 6,900 rows of a. LOG_BASED costs 1 request, and sees "
            "deleted rows.",
            change=Change(replication_method=LOG_BASED),
        )
    ]
    changed = plan({"a": 6_900}, table("a", LOG_BASED, tracked=True, replication_key=None))
    assert changed.advice == []
    assert changed.each_run == Load(rows=0, requests=1)


def test_tables_with_change_tracking_off_are_named() -> None:
    found = plan({"a": 10, "b": 20}, table("a", FULL_TABLE), table("b", FULL_TABLE))
    (one,) = found.advice
    assert (one.kind, one.tables, one.change) == (Kind.TRACKING_OFF, ["a", "b"], None)
    assert one.sentence.startswith("Each run reads all 30 rows of these tables, ")
    (wanted,) = plan({"a": 10}, table("a"), replication_method=LOG_BASED).advice
    assert wanted.sentence.startswith("LOG_BASED is not used, because change tracking is off: a.")
    assert plan({"a": 10}, table("a")).advice == []
    chosen = table("a", FULL_TABLE, replication_key="modifiedon")
    assert plan({"a": 10}, chosen).advice == []


def test_full_tables_of_a_service_without_change_tracking_are_named() -> None:
    chosen = table("b", FULL_TABLE, replication_key="modifiedon")
    (one,) = plan({"b": 10}, table("a", FULL_TABLE), chosen, config=FINANCE).advice
    assert (one.kind, one.tables, one.change) == (Kind.FULL_TABLE, ["a"], None)
    assert one.sentence.startswith("Each run reads all rows of these tables, because nothing tells")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"notes": 300.0, "name": 700.0}, [("a", "name"), ("a", "notes")]),
        ({"notes": 200.0, "name": 1_800.0}, [("a", "name"), ("a", "notes")]),
        ({"notes": 199.0, "name": 199.0}, None),
        # Keys are always sent, and numbers are no large texts.
        ({"id": 500.0, "modifiedon": 500.0, "amounts": 500.0}, None),
        ({"notes": 250.0, "amounts": 2_251.0}, None),
        ({"notes": 250.0, "amounts": 2_249.0}, [("a", "notes")]),
    ],
)
def test_large_columns_are_advised_to_be_left_out(
    columns: dict[str, float], expected: list[tuple[str, str]] | None
) -> None:
    page = replace(PAGE, columns=columns)
    found = advice(plan({"a": 1_000}, table("a"), pages={"a": page}), Kind.LARGE_COLUMNS)
    change = found.change if found is not None else None
    assert (change.deselect if change is not None else None) == expected


def test_share_of_large_columns_is_that_of_all_tables() -> None:
    pages: dict[str, MeasuredPage | ServiceError] = {
        "a": replace(PAGE, columns={"notes": 750.0, "name": 250.0}),
        "b": replace(PAGE, columns={"name": 50.0}),
    }
    found = advice(
        plan({"a": 100, "b": 300}, table("a"), table("b"), pages=pages), Kind.LARGE_COLUMNS
    )
    assert found is not None
    assert found.tables == ["a"]
    assert found.sentence == (
        "Large texts and images are about 25% of the bytes: a.notes, a.name. Leave out those that "
        "you do not need."
    )
