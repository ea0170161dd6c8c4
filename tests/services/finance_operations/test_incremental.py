"""Incremental replication of Finance & Operations, where a set has a date of change or a number."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.finance_operations.test_reads import queries, reached, told_apart
from tests.tap import Message, Tap, choose, select

if TYPE_CHECKING:
    from sandbox.finance_client import FinanceSandbox

BY_DATE, BY_NUMBER, SHARED = "VendorsV2", "SalesOrderLines", "WorkerPositions"
KEYS = {
    BY_DATE: ("dataAreaId", "VendorAccountNumber"),
    BY_NUMBER: ("dataAreaId", "InventoryLotId"),
    SHARED: ("PersonnelNumber", "ValidFrom"),
}
DATE = "SysModifiedDateTime"
NO_DATE = "1900-01-01T00:00:00Z"
PAGE = 20


@pytest.fixture
def service(changing_finance: FinanceSandbox) -> FinanceSandbox:
    """An environment of the test's own, with small pages."""
    changing_finance.configure(page_size_cap=PAGE)
    return changing_finance


@pytest.fixture
def tap(service: FinanceSandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for all companies."""
    return Tap({**service.settings, **way, "cross_company": True, "lookback_seconds": 0})


@pytest.fixture(scope="module")
def catalog(finance_sandbox: FinanceSandbox) -> Message:
    """The catalog of the sets with a replication key."""
    tap = Tap({**finance_sandbox.settings, "cross_company": True, "tables": list(KEYS)})
    return tap.discover()


def keys(table: str, rows: list[Message]) -> list[tuple[Any, ...]]:
    """The keys of rows, in order."""
    return sorted(tuple(row[name] for name in KEYS[table]) for row in rows)


def test_sets_with_a_date_of_change_or_a_row_version_are_incremental(catalog: Message) -> None:
    found = {
        stream["tap_stream_id"]: (stream["replication_method"], stream["replication_key"])
        for stream in catalog["streams"]
    }
    assert found == {
        BY_DATE: ("INCREMENTAL", DATE),
        BY_NUMBER: ("INCREMENTAL", "SysRowVersion"),
        SHARED: ("INCREMENTAL", DATE),
    }


def test_second_run_sends_what_has_changed_in_any_company(
    service: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    service.configure(clock="2030-01-01T00:00:00Z")
    first = tap.sync(catalog=catalog)
    for table in KEYS:
        assert told_apart(first.records(table)) == told_apart(reached(service, table))
    service.configure(clock="2030-01-02T00:00:00Z")
    changed: dict[str, list[tuple[Any, ...]]] = {}
    columns = {BY_DATE: "AddressCity", BY_NUMBER: "ItemNumber", SHARED: "WorkerName"}
    for table, column in columns.items():
        changed[table] = keys(table, reached(service, table)[::17])
        for key in changed[table]:
            service.update(table, list(key), {column: "Changed"})
    second = tap.sync(catalog=catalog, state=first.state)
    for table in KEYS:
        sent = keys(table, second.records(table))
        assert {*sent} >= {*changed[table]}
        assert len(sent) < len(first.records(table))


def test_pages_continue_by_key_values_and_never_by_position(
    service: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    """A row that changes during the run moves to the end, and would shift those behind it."""
    rows = [row for row in reached(service, BY_DATE) if row[DATE] > NO_DATE]
    first = min(rows, key=lambda row: row[DATE])
    key = [first[name] for name in KEYS[BY_DATE]]
    change = service.begin(BY_DATE, update={json.dumps(key): {"AddressCity": "Moved"}}, late=False)
    service.fault(BY_DATE, skip=1, commit=change.number)
    run = tap.sync(catalog=select(catalog, {BY_DATE: None}))
    assert {*keys(BY_DATE, run.records(BY_DATE))} == {*keys(BY_DATE, reached(service, BY_DATE))}
    assert not any("$skip" in query for query in queries(service, BY_DATE))
    assert service.hits() == [1]


def test_first_run_sends_rows_without_a_date_first_and_later_runs_do_not(
    service: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    """They are from before the service set the date."""
    undated = [row for row in reached(service, BY_DATE) if row[DATE] == NO_DATE]
    assert undated
    chosen = select(catalog, {BY_DATE: None})
    first = tap.sync(catalog=chosen)
    sent = first.records(BY_DATE)
    assert [row[DATE] for row in sent[: len(undated)]] == [NO_DATE] * len(undated)
    second = tap.sync(catalog=chosen, state=first.state)
    assert NO_DATE not in {row[DATE] for row in second.records(BY_DATE)}


def test_start_date_leaves_out_old_rows_but_not_those_without_a_date(
    service: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    chosen = select(catalog, {BY_DATE: None})
    dates = sorted(row[DATE] for row in reached(service, BY_DATE))
    start = dates[len(dates) // 2]
    first = tap.but(start_date=start).sync(catalog=chosen)
    wanted = [
        row for row in reached(service, BY_DATE) if row[DATE] >= start or row[DATE] == NO_DATE
    ]
    assert told_apart(first.records(BY_DATE)) == told_apart(wanted)
    second = tap.but(start_date=start).sync(catalog=chosen, state=first.state)
    assert NO_DATE not in {row[DATE] for row in second.records(BY_DATE)}


def test_condition_for_rows_without_a_date_may_be_refused(
    service: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    service.fault("lt 1900", status=400, error_form="finance_query", message="No.", count=None)
    dates = sorted(row[DATE] for row in reached(service, BY_DATE))
    tap = tap.but(start_date=dates[len(dates) // 2])
    run = tap.sync(catalog=select(catalog, {BY_DATE: None}))
    assert service.hits() != [0]
    assert 0 < run.counts[BY_DATE] < len(dates)


def test_companies_that_come_in_are_read_from_their_first_row(
    service: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    """Also the rows that changed while only the default company was read."""
    narrow = tap.but(cross_company=False)
    state: Message | None = None
    runs = [tap, narrow, tap, tap]
    counts = []
    for each in runs:
        run = each.sync(catalog=catalog, state=state)
        state = run.state
        counts.append(run.counts.get(BY_NUMBER, 0))
        if each is narrow:
            assert any("all companies" in text for text in run.logged("WARNING"))
    every = len(reached(service, BY_NUMBER))
    assert counts[0] == counts[2] == every
    assert counts[1] < every
    assert counts[3] < every


def test_interrupted_read_of_all_companies_is_not_read_from_the_start_again(
    service: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    chosen = select(catalog, {BY_DATE: None})
    state = tap.but(cross_company=False).sync(catalog=chosen).state
    service.fault(BY_DATE, skip=2, status=500, error_form="finance", count=None)
    second = tap.run(catalog=chosen, state=state)
    service.clear_faults()
    service.clear_requests()
    third = tap.sync(catalog=chosen, state=second.state)
    assert second.counts[BY_DATE] > 0
    sent = [*second.records(BY_DATE), *third.records(BY_DATE)]
    assert {*keys(BY_DATE, sent)} == {*keys(BY_DATE, reached(service, BY_DATE))}
    assert f"{DATE} ge" in queries(service, BY_DATE)[0]["$filter"]


def test_change_of_a_joined_table_does_not_move_the_date(
    service: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    """docs/finance-and-operations.md says so: only FULL_TABLE sends such a change."""
    chosen = select(catalog, {BY_DATE: None})
    service.configure(clock="2030-01-01T00:00:00Z")
    state = tap.sync(catalog=chosen).state
    service.configure(clock="2030-01-02T00:00:00Z")
    row = min(reached(service, BY_DATE), key=lambda row: row[DATE])
    key = [row[name] for name in KEYS[BY_DATE]]
    service.update_joined(BY_DATE, key, {"AddressCity": "Elsewhere"})
    assert tuple(key) not in keys(BY_DATE, tap.sync(catalog=chosen, state=state).records(BY_DATE))
    full = choose(chosen, BY_DATE, replication_method="FULL_TABLE")
    sent = tap.sync(catalog=full).records(BY_DATE)
    assert [r["AddressCity"] for r in sent if keys(BY_DATE, [r]) == [tuple(key)]] == ["Elsewhere"]


@pytest.mark.parametrize("column", ["CreatedOn", "RequestedReceiptDate"])
def test_other_dates_may_be_chosen_by_hand(service: FinanceSandbox, tap: Tap, column: str) -> None:
    table = "SalesOrderHeadersV2"
    found = tap.but(tables=[table]).discover()
    chosen = choose(found, table, replication_method="INCREMENTAL", replication_key=column)
    run = tap.sync(catalog=chosen)
    assert told_apart(run.records(table)) == told_apart(reached(service, table))
