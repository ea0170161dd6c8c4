"""The setting sorted_tables: rows in the order of their date, and how reading continues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.business_central.companies import MAIN
from tests.services.business_central.rows import (
    asked_for,
    catalog_of,
    parts,
    sent,
    stored,
    told_apart,
)
from tests.tap import Tap

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox

TABLE, KEY = "customers", "lastModifiedDateTime"
# The time that many rows share, as after an import.
SHARED = "2024-05-06T07:08:09Z"


@pytest.fixture
def tap(changing_central: CentralSandbox) -> Tap:
    """The tap set up for one company, in which most rows share a time of change."""
    for row in changing_central.rows(TABLE)[:25]:
        if row["$company"] == MAIN.id:
            changing_central.update(TABLE, [MAIN.id, row["id"]], {KEY: SHARED})
    settings = {"sorted_tables": ["CUST*"], "companies": [MAIN.id], "fetch_size": 4}
    return Tap({**changing_central.settings, **settings})


def test_rows_come_in_the_order_of_their_date(changing_central: CentralSandbox, tap: Tap) -> None:
    catalog = catalog_of(tap, TABLE)
    changing_central.clear_requests()
    run = tap.sync(catalog=catalog)
    assert sent(run, TABLE) == stored(changing_central, TABLE, MAIN.id)
    dates = [row[KEY] or "" for row in run.records(TABLE)]
    assert dates == sorted(dates)
    orders = {each["query"].get("$orderby") for each in asked_for(changing_central, TABLE)}
    assert f"{KEY} asc,id asc" in orders


@pytest.mark.parametrize("comparison", ["understood", "refused"])
def test_link_that_is_lost_is_replaced_by_two_reads(
    changing_central: CentralSandbox, tap: Tap, comparison: str
) -> None:
    catalog = catalog_of(tap, TABLE)
    changing_central.configure(guid_comparison=comparison)
    changing_central.clear_requests()
    changing_central.fault(
        f"{TABLE}.*skiptoken",
        skip=2,
        status=400,
        error_form="central",
        code="SkipTokenIsNoLongerValid",
        count=1,
    )
    run = tap.sync(catalog=catalog)
    assert {*told_apart(run.records(TABLE))} == stored(changing_central, TABLE, MAIN.id)
    conditions = [each["query"].get("$filter", "") for each in asked_for(changing_central, TABLE)]
    # First the rows of the same moment, then the later ones: never both with an `or`.
    ties = [each for each in conditions if f"{KEY} eq " in each]
    assert ("id gt " in ties[-1]) == (comparison == "understood")
    assert any(each.startswith(f"{KEY} gt ") for each in conditions)
    assert not any(" or " in each or " in " in each for each in conditions)


def test_bookmark_stays_behind_the_time_of_the_service(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE)
    changing_central.configure(clock="2031-05-06T07:08:09Z")
    row = next(row for row in changing_central.rows(TABLE) if row["$company"] == MAIN.id)
    changing_central.update(TABLE, [MAIN.id, row["id"]], {"city": "Elsewhere"})
    run = tap.sync(catalog=catalog)
    bookmark = parts(run.state, TABLE)[MAIN.id]["replication_key_value"]
    assert "2031-05-06T06:57" < bookmark < "2031-05-06T06:59"


def test_run_that_fails_is_continued_at_its_last_row(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE)
    changing_central.fault(
        f"{TABLE}.*skiptoken", skip=3, status=500, error_form="central", count=None
    )
    first = tap.but(ws_retry_count=0).run(catalog=catalog)
    assert first.status == 1
    bookmark = parts(first.state, TABLE)[MAIN.id]["replication_key_value"]
    changing_central.clear_faults()
    changing_central.clear_requests()
    second = tap.sync(catalog=catalog, state=first.state)
    found = {*told_apart(first.records(TABLE)), *told_apart(second.records(TABLE))}
    assert found == stored(changing_central, TABLE, MAIN.id)
    query = asked_for(changing_central, TABLE)[0]["query"]
    assert query["$filter"].startswith(f"{KEY} ge ")
    assert query["$filter"] <= f"{KEY} ge {bookmark}"


def test_pattern_that_matches_no_table_is_named(tap: Tap) -> None:
    tap = tap.but(sorted_tables=["CUST*", "vendor*"])
    run = tap.sync(catalog=catalog_of(tap, TABLE))
    warning = "No selected table matches 'vendor*' of the setting sorted_tables."
    assert [text for text in run.logged("WARNING") if "sorted_tables" in text] == [warning]


def test_sorted_read_that_times_out_is_replaced_by_one_in_any_order(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE)
    changing_central.configure(unsortable_tables=[TABLE])
    run = tap.but(ws_retry_count=0).sync(catalog=catalog)
    assert sent(run, TABLE) == stored(changing_central, TABLE, MAIN.id)
    (warning,) = [text for text in run.logged("WARNING") if "in any order" in text]
    assert KEY in warning
