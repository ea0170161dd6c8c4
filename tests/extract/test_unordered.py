"""Tables that a service can't sort in time: their rows come in any order, with one warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.services.finance_operations.test_reads import reached
from tests.tap import Tap, own_metadata, reads, select

if TYPE_CHECKING:
    from sandbox.client import Sandbox
    from sandbox.finance_client import FinanceSandbox

TABLE, ENTITY_SET = "contact", "contacts"
MARK = "sorting_timed_out"


@pytest.fixture
def tap(changing_sandbox: Sandbox) -> Tap:
    """The tap set up for a table whose date has no index."""
    changing_sandbox.configure(unsortable_tables=[TABLE])
    settings = {"tables": [TABLE], "fetch_size": 50, "ws_retry_count": 0}
    return Tap({**changing_sandbox.settings, **settings})


def warnings(log: list[str]) -> list[str]:
    """The warnings about a table that is read in any order."""
    return [text for text in log if "is read in any order" in text]


def test_table_whose_sorted_read_times_out_is_read_in_any_order(
    changing_sandbox: Sandbox, tap: Tap
) -> None:
    catalog = tap.discover()
    first = tap.sync(catalog=catalog)
    ids = sorted(row["contactid"] for row in first.records(TABLE))
    assert ids == sorted(row["contactid"] for row in changing_sandbox.rows(TABLE))
    (warning,) = warnings(first.logged("WARNING"))
    assert "modifiedon" in warning
    assert first.state["bookmarks"][TABLE][MARK] == "modifiedon"
    # The next run knows, and reads only what has changed.
    changing_sandbox.clear_requests()
    key = ids[0]
    changing_sandbox.update(TABLE, key, {"firstname": "Changed"})
    second = tap.sync(catalog=catalog, state=first.state)
    assert key in {row["contactid"] for row in second.records(TABLE)}
    assert second.counts[TABLE] < len(ids)
    asked = reads(changing_sandbox.requests(), ENTITY_SET)
    assert not any("$orderby" in each["query"] for each in asked)
    assert not warnings(second.logged("WARNING"))


def test_sorted_read_without_an_answer_in_time_is_the_same(
    changing_sandbox: Sandbox, tap: Tap
) -> None:
    changing_sandbox.configure(unsortable_tables=[])
    catalog = tap.discover()
    changing_sandbox.fault("orderby=modifiedon", delay_ms=2_500, count=None)
    run = tap.but(ws_timeout=1).sync(catalog=catalog)
    assert run.counts[TABLE] == len(changing_sandbox.rows(TABLE))
    assert warnings(run.logged("WARNING"))


def test_smaller_pages_are_tried_before(changing_sandbox: Sandbox, tap: Tap) -> None:
    tap = tap.but(ws_retry_count=2, fetch_size=8)
    run = tap.sync(catalog=tap.discover())
    assert "Page size of 'contact' reduced from 8 to 2 rows." in run.log
    assert "to 1 row." in run.log
    assert run.counts[TABLE] == len(changing_sandbox.rows(TABLE))


def test_mark_that_is_removed_from_the_state_has_sorting_tried_again(
    changing_sandbox: Sandbox, tap: Tap
) -> None:
    catalog = tap.discover()
    first = tap.sync(catalog=catalog)
    changing_sandbox.configure(unsortable_tables=[])
    del first.state["bookmarks"][TABLE][MARK]
    changing_sandbox.clear_requests()
    second = tap.sync(catalog=catalog, state=first.state)
    assert MARK not in second.state["bookmarks"][TABLE]
    assert any(
        "$orderby" in each["query"] for each in reads(changing_sandbox.requests(), ENTITY_SET)
    )


def test_time_out_after_sorted_pages_has_another_cause(changing_sandbox: Sandbox, tap: Tap) -> None:
    changing_sandbox.configure(unsortable_tables=[])
    catalog = tap.discover()
    changing_sandbox.fault("contacts", skip=2, status=504, count=None)
    run = tap.but(max_parallel_requests=1).run(catalog=catalog)
    assert "504" in run.refusal()
    assert MARK not in run.state["bookmarks"][TABLE]


def test_outage_of_all_reads_is_not_taken_for_a_missing_index(
    changing_sandbox: Sandbox, tap: Tap
) -> None:
    catalog = tap.discover()
    changing_sandbox.fault("contacts", status=504, count=None)
    run = tap.run(catalog=catalog)
    assert "504" in run.refusal()
    assert MARK not in run.state.get("bookmarks", {}).get(TABLE, {})


def test_other_replication_key_is_sorted_again(changing_sandbox: Sandbox, tap: Tap) -> None:
    catalog = tap.discover()
    first = tap.sync(catalog=catalog)
    own_metadata(catalog["streams"][0])["replication-key"] = "versionnumber"
    second = tap.sync(catalog=catalog, state=first.state)
    key = changing_sandbox.rows(TABLE)[0]["contactid"]
    changing_sandbox.update(TABLE, key, {"firstname": "Changed"})
    third = tap.sync(catalog=catalog, state=second.state)
    assert key in {row["contactid"] for row in third.records(TABLE)}
    values = [run.state["bookmarks"][TABLE]["replication_key_value"] for run in (second, third)]
    assert values == sorted(values)
    assert values[-1] == max(row["versionnumber"] for row in changing_sandbox.rows(TABLE))


def test_key_that_is_a_number_can_not_be_read_in_any_order(
    changing_sandbox: Sandbox, tap: Tap
) -> None:
    catalog = select(tap.discover(), {TABLE: None})
    own_metadata(catalog["streams"][0])["replication-key"] = "versionnumber"
    changing_sandbox.fault("orderby=versionnumber", status=504, count=None)
    run = tap.run(catalog=catalog)
    assert "Table 'contact' failed." in run.refusal()
    assert not warnings(run.logged("WARNING"))


def test_first_load_with_change_tracking_does_without_an_order(
    changing_sandbox: Sandbox, tap: Tap
) -> None:
    tap = tap.but(replication_method="LOG_BASED")
    catalog = tap.discover()
    first = tap.sync(catalog=catalog)
    assert first.counts[TABLE] == len(changing_sandbox.rows(TABLE))
    key = changing_sandbox.rows(TABLE)[0]["contactid"]
    changing_sandbox.delete(TABLE, key)
    second = tap.sync(catalog=catalog, state=first.state)
    (row,) = second.records(TABLE)
    assert row["contactid"] == key
    assert row["_sdc_deleted_at"]


def test_finance_and_operations_is_read_in_the_order_of_the_key(
    changing_finance: FinanceSandbox,
) -> None:
    table, key = "VendorsV2", "SysModifiedDateTime"
    changing_finance.configure(unsortable_tables=[table])
    settings = {"cross_company": True, "tables": [table], "fetch_size": 20, "ws_retry_count": 0}
    tap = Tap({**changing_finance.settings, **settings})
    catalog = tap.discover()
    (stream,) = catalog["streams"]
    assert stream["replication_key"] == key
    first = tap.sync(catalog=catalog)
    rows = reached(changing_finance, table)
    names = ("dataAreaId", "VendorAccountNumber")
    expected = sorted(tuple(row[name] for name in names) for row in rows)
    assert sorted(tuple(row[name] for name in names) for row in first.records(table)) == expected
    assert warnings(first.logged("WARNING"))
    changed = rows[len(rows) // 2]
    changing_finance.update(
        table, [changed[name] for name in names], {"VendorOrganizationName": "Changed"}
    )
    second = tap.sync(catalog=catalog, state=first.state)
    assert [tuple(row[name] for name in names) for row in second.records(table)] == [
        tuple(changed[name] for name in names)
    ]
