"""Reads in any order: windows by the time of change, their bookmark, and how they are continued."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sandbox.business_central.companies import COPY, MAIN, OWN
from tests.services.business_central.rows import (
    asked_for,
    catalog_of,
    parts,
    sent,
    stored,
    told_apart,
)
from tests.tap import (
    WAYS,
    Tap,
    activated,
    killed,
    versions,
)

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox

TABLE, KEY = "customers", "lastModifiedDateTime"
BLANK = "0001-01-01T00:00:00Z"
MARGIN = timedelta(minutes=10)


@pytest.fixture(params=["side-by-side", "as-values"])
def tap(changing_central: CentralSandbox, request: pytest.FixtureRequest) -> Tap:
    """The tap set up for an environment of the test's own, with small pages."""
    changing_central.configure(closed_companies=[])
    return Tap({**changing_central.settings, **WAYS[request.param], "fetch_size": 3})


def moment(text: str) -> datetime:
    """A time in the state."""
    return datetime.fromisoformat(text)


def fail_after(central: CentralSandbox, pages: int) -> None:
    """Let all pages fail after the first ones."""
    central.fault(
        f"{TABLE}.*skiptoken", skip=pages - 1, status=500, error_form="central", count=None
    )


def test_rows_are_neither_sorted_nor_compared_by_their_id(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE)
    changing_central.clear_requests()
    first = tap.sync(catalog=catalog)
    second = tap.sync(catalog=catalog, state=first.state)
    queries = [each["query"] for each in asked_for(changing_central, TABLE)]
    assert queries
    assert not any("$orderby" in query for query in queries)
    conditions = {query.get("$filter", "") for query in queries}
    assert not any(" or " in each or " in " in each for each in conditions)
    assert not second.counts
    # The first run reads all rows; the second one those from the bookmark on.
    assert any(f"{KEY} ge " in condition for condition in conditions)
    assert "" in conditions


def test_bookmark_stays_behind_the_time_of_the_service(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    changing_central.configure(clock="2031-05-06T07:08:09Z")
    run = tap.sync(catalog=catalog_of(tap, TABLE))
    found = {moment(entry["replication_key_value"]) for entry in parts(run.state, TABLE).values()}
    (bookmark,) = found
    assert timedelta(0) <= moment("2031-05-06T07:08:09Z") - MARGIN - bookmark < timedelta(minutes=1)


def test_row_that_becomes_visible_late_is_sent_by_the_next_run(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    tap = tap.but(lookback_seconds=0)
    catalog = catalog_of(tap, TABLE)
    key = changing_central.rows(TABLE)[0]["id"]
    transaction = changing_central.begin(TABLE, update={(MAIN.id, key): {"city": "Late"}})
    first = tap.sync(catalog=catalog)
    transaction.commit()
    second = tap.sync(catalog=catalog, state=first.state)
    assert sent(second, TABLE) == {(MAIN.id, key)}
    assert second.records(TABLE)[0]["city"] == "Late"


def test_rows_without_a_date_are_sent_once_although_there_is_a_start_date(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    rows = [row for row in changing_central.rows(TABLE) if row["$company"] == OWN.id]
    blank, old, new = (row["id"] for row in rows[:3])
    for key, date in ((blank, BLANK), (old, "2001-01-01T00:00:00Z"), (new, "2024-01-01T00:00:00Z")):
        changing_central.update(TABLE, [OWN.id, key], {KEY: date})
    tap = tap.but(start_date="2024-01-01T00:00:00Z", companies=[OWN.id])
    catalog = catalog_of(tap, TABLE)
    first = tap.sync(catalog=catalog)
    found = sent(first, TABLE)
    assert {(OWN.id, blank), (OWN.id, new)} <= found
    assert (OWN.id, old) not in found
    dates = {row["id"]: row[KEY] for row in first.records(TABLE)}
    assert dates[blank] is None
    second = tap.sync(catalog=catalog, state=first.state)
    assert (OWN.id, blank) not in sent(second, TABLE)


def test_row_that_changes_between_two_pages_is_sent_in_the_end(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE)
    keys = [row["id"] for row in changing_central.rows(TABLE) if row["$company"] == MAIN.id]
    first = tap.sync(catalog=catalog)
    for key in keys:
        changing_central.update(TABLE, [MAIN.id, key], {"city": "Elsewhere"})
    changing_central.fault(f"{MAIN.id}.*{TABLE}.*skiptoken", status=503, count=1)
    second = tap.sync(catalog=catalog, state=first.state)
    assert sent(second, TABLE) == {(MAIN.id, key) for key in keys}


@pytest.mark.parametrize("method", ["INCREMENTAL", "FULL_TABLE"])
def test_run_that_is_killed_is_continued_by_its_link(
    changing_central: CentralSandbox, tap: Tap, method: str
) -> None:
    tap = tap.but(emit_activate_version_messages=True, companies=[MAIN.id])
    catalog = catalog_of(tap, TABLE, replication_method=method)
    changing_central.fault(
        f"{TABLE}.*skiptoken", skip=2, status=500, error_form="central", count=None
    )
    first = tap.but(ws_retry_count=0).run(catalog=catalog)
    assert first.status == 1
    begun = parts(first.state, TABLE)[MAIN.id]
    (place,) = begun["window" if method == "INCREMENTAL" else "full_table"]["remaining"]
    assert "skiptoken" in place["link"]
    assert "replication_key_value" not in begun
    changing_central.clear_faults()
    changing_central.clear_requests()
    second = tap.sync(catalog=catalog, state=first.state)
    assert "that was interrupted" in second.log
    assert not sent(first, TABLE) & sent(second, TABLE)
    assert sent(first, TABLE) | sent(second, TABLE) == stored(changing_central, TABLE, MAIN.id)
    assert all("$skiptoken" in each["query"] for each in asked_for(changing_central, TABLE))
    ended = parts(second.state, TABLE)[MAIN.id]
    assert not {"window", "full_table"} & ended.keys()
    if method == "FULL_TABLE":
        assert versions(first, TABLE) == versions(second, TABLE)
        assert activated(second).keys() == {TABLE}
    else:
        # The bookmark is that of the run that began the read.
        assert ended["replication_key_value"] == begun["window"]["until"]


def test_row_that_changes_after_a_read_was_interrupted_is_not_lost(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    tap = tap.but(companies=[MAIN.id])
    catalog = catalog_of(tap, TABLE)
    changing_central.configure(clock="2031-05-06T07:00:00Z")
    changing_central.fault(
        f"{TABLE}.*skiptoken", skip=1, status=500, error_form="central", count=None
    )
    first = tap.but(ws_retry_count=0).run(catalog=catalog)
    changing_central.clear_faults()
    # The read is continued behind this row.
    changed = min(sent(first, TABLE))
    changing_central.configure(clock="2031-05-06T08:00:00Z")
    changing_central.update(TABLE, [*changed], {"city": "Elsewhere"})
    changing_central.configure(clock="2031-05-06T09:00:00Z")
    second = tap.sync(catalog=catalog, state=first.state)
    third = tap.sync(catalog=catalog, state=second.state)
    assert changed not in sent(second, TABLE)
    assert sent(third, TABLE) == {changed}


@pytest.mark.parametrize("lines", [6, 12, 20])
def test_run_that_is_killed_anywhere_loses_nothing(
    changing_central: CentralSandbox, tap: Tap, lines: int
) -> None:
    catalog = catalog_of(tap, TABLE)
    first = killed(tap, catalog, None, lines)
    second = tap.sync(catalog=catalog, state=first.state or None)
    found = {*told_apart(first.records(TABLE)), *told_apart(second.records(TABLE))}
    assert found == stored(
        changing_central, TABLE, *(c["id"] for c in changing_central.companies())
    )


def test_link_that_is_refused_is_given_up(changing_central: CentralSandbox, tap: Tap) -> None:
    tap = tap.but(companies=[MAIN.id])
    catalog = catalog_of(tap, TABLE)
    fail_after(changing_central, pages=2)
    first = tap.but(ws_retry_count=0).run(catalog=catalog)
    changing_central.clear_faults()
    changing_central.fault(
        f"{TABLE}.*skiptoken",
        status=400,
        error_form="central",
        code="SkipTokenIsNoLongerValid",
        count=1,
    )
    second = tap.sync(catalog=catalog, state=first.state)
    assert sent(second, TABLE) == stored(changing_central, TABLE, MAIN.id)
    assert "is read from its bookmark again." in second.log


@pytest.mark.parametrize("method", ["INCREMENTAL", "FULL_TABLE"])
@pytest.mark.parametrize(
    "damage",
    ["another company", "a column that has left", "no link", "values", "no time", "a number"],
)
def test_place_in_the_state_that_does_not_fit_is_given_up(
    changing_central: CentralSandbox, tap: Tap, method: str, damage: str
) -> None:
    tap = tap.but(companies=[MAIN.id])
    catalog = catalog_of(tap, TABLE, replication_method=method)
    fail_after(changing_central, pages=2)
    first = tap.but(ws_retry_count=0).run(catalog=catalog)
    changing_central.clear_faults()
    (entry,) = first.state["bookmarks"][TABLE]["partitions"]
    begun = entry["window" if method == "INCREMENTAL" else "full_table"]
    (place,) = begun["remaining"]
    match damage:
        case "another company":
            place["link"] = place["link"].replace(MAIN.id, OWN.id)
        case "a column that has left":
            place["link"] = place["link"].replace("city", "town")
        case "no link":
            place["link"] = "https://["
        case "values":
            begun["remaining"] = [{"after": [1, 2]}]
        case "no time":
            begun["until"] = "yesterday"
        case _:
            begun["remaining"] = [{"link": 3}]
    second = tap.sync(catalog=catalog, state=first.state)
    found = {*told_apart(second.records(TABLE))}
    if damage != "no time" or method == "INCREMENTAL":
        assert found == stored(changing_central, TABLE, MAIN.id)
    assert {company for company, _ in found} == {MAIN.id}
    third = tap.sync(catalog=catalog_of(tap, TABLE), state=second.state)
    assert third.status == 0


def test_change_of_the_selected_columns_begins_the_read_again(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    tap = tap.but(companies=[MAIN.id])
    catalog = catalog_of(tap, TABLE)
    fail_after(changing_central, pages=2)
    first = tap.but(ws_retry_count=0).run(catalog=catalog)
    changing_central.clear_faults()
    for stream in catalog["streams"]:
        for each in stream["metadata"]:
            if each["breadcrumb"] == ["properties", "city"]:
                each["metadata"]["selected"] = False
    second = tap.sync(catalog=catalog, state=first.state)
    assert sent(second, TABLE) == stored(changing_central, TABLE, MAIN.id)


def test_condition_that_is_refused_has_all_rows_read(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    tap = tap.but(companies=[MAIN.id])
    catalog = catalog_of(tap, TABLE)
    first = tap.sync(catalog=catalog)
    changing_central.fault(f"{TABLE}.*filter", status=501, error_form="central", count=None)
    second = tap.sync(catalog=catalog, state=first.state)
    assert sent(second, TABLE) == stored(changing_central, TABLE, MAIN.id)
    (warning,) = [text for text in second.logged("WARNING") if "All rows" in text]
    assert "can't select those that have changed" in warning


def test_table_with_a_row_version_is_sorted_by_it(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    tap = tap.but(service_url=changing_central.api_url("api/sandbox/loyalty/v1.0"), fetch_size=2)
    table = "loyaltyCards"
    catalog = catalog_of(tap, table)
    changing_central.clear_requests()
    first = tap.sync(catalog=catalog)
    expected = sorted((row["$company"], row["systemId"]) for row in changing_central.rows(table))
    assert sorted((row["company_id"], row["systemId"]) for row in first.records(table)) == expected
    queries = [each["query"] for each in asked_for(changing_central, table)]
    assert {"systemRowVersion asc"} <= {query.get("$orderby") for query in queries}
    assert not any(" or " in query.get("$filter", "") for query in queries)
    row = changing_central.rows(table)[0]
    changing_central.update(table, [COPY.id, row["systemId"]], {"Points": 987654})
    second = tap.sync(catalog=catalog, state=first.state)
    assert (COPY.id, row["systemId"]) in {
        (row["company_id"], row["systemId"]) for row in second.records(table)
    }


@pytest.mark.parametrize("key", ["entryNumber", "postingDate"])
def test_key_that_is_not_the_time_of_a_change_has_its_greatest_value_as_bookmark(
    changing_central: CentralSandbox, tap: Tap, key: str
) -> None:
    table = "generalLedgerEntries"
    tap = tap.but(companies=[MAIN.id])
    catalog = catalog_of(tap, table, replication_key=key)
    first = tap.sync(catalog=catalog)
    rows = [row for row in changing_central.rows(table) if row["$company"] == MAIN.id]
    greatest = max(row[key] for row in rows)
    assert parts(first.state, table)[MAIN.id]["replication_key_value"] == greatest
    new = {name: value for name, value in rows[0].items() if name != KEY}
    new |= {"id": "c0a0ffff-5a4d-ef11-a1b2-6045bd0000ff", "entryNumber": 999_999}
    # Later than all others, and before the time of the run.
    new["postingDate"] = "2026-01-02"
    changing_central.insert(table, [new])
    second = tap.sync(catalog=catalog, state=first.state)
    assert new["id"] in {row["id"] for row in second.records(table)}


@pytest.mark.parametrize("method", ["INCREMENTAL", "FULL_TABLE"])
def test_read_with_a_filter_is_continued_unless_the_filter_changes(
    changing_central: CentralSandbox, tap: Tap, method: str
) -> None:
    tap = tap.but(companies=[MAIN.id], filters={TABLE: "taxLiable eq true"}, fetch_size=2)
    catalog = catalog_of(tap, TABLE, replication_method=method)
    liable = {
        (MAIN.id, row["id"])
        for row in changing_central.rows(TABLE)
        if row["$company"] == MAIN.id and row["taxLiable"]
    }
    changing_central.fault(
        f"{TABLE}.*skiptoken", skip=1, status=500, error_form="central", count=None
    )
    first = tap.but(ws_retry_count=0).run(catalog=catalog)
    changing_central.clear_faults()
    continued = tap.sync(catalog=catalog, state=first.state)
    assert sent(first, TABLE) | sent(continued, TABLE) == liable
    assert not sent(first, TABLE) & sent(continued, TABLE)
    other = tap.but(filters={TABLE: "taxLiable eq false"})
    begun_again = other.sync(catalog=catalog, state=first.state)
    assert sent(begun_again, TABLE) == stored(changing_central, TABLE, MAIN.id) - liable != set()
