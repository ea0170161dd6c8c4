"""Rows that can only be read through their parents: document lines, journal lines, dimensions."""

from __future__ import annotations

import re
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
    Tap,
    activated,
)

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox
    from tests.tap import Message

LINES, HEADERS = "salesInvoiceLines", "salesInvoices"
CHANGED_AT = "parentLastModifiedDateTime"
BOUND = [LINES, "salesOrderLines", "journalLines", "dimensionSetLines", "defaultDimensions"]


@pytest.fixture
def tap(changing_central: CentralSandbox) -> Tap:
    """The tap set up for an environment of the test's own, without a closed company."""
    changing_central.configure(closed_companies=[])
    return Tap({**changing_central.settings})


def of_company(central: CentralSandbox, table: str, company: str) -> list[Message]:
    """The rows of a table in one company."""
    return [row for row in central.rows(table) if row["$company"] == company]


def touch(central: CentralSandbox, company: str, header: str) -> None:
    """Change an invoice."""
    central.update(HEADERS, [company, header], {"customerName": "Changed"})


def test_rows_of_all_parents_in_all_companies_are_sent(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    run = tap.sync(catalog=catalog_of(tap, *BOUND))
    everywhere = [each["id"] for each in changing_central.companies()]
    for table in BOUND:
        found = {(row["company_id"], row["id"]) for row in run.records(table)}
        assert found == stored(changing_central, table, *everywhere) != set()


def test_no_request_filters_lines_by_several_parents(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    # The service would return those of the first parent alone, with status 200.
    catalog = catalog_of(tap, *BOUND)
    changing_central.clear_requests()
    tap.sync(catalog=catalog)
    requests = changing_central.requests()
    assert not [each for table in BOUND for each in asked_for(changing_central, table)]
    expanded = [each["query"]["$expand"] for each in requests if "$expand" in each["query"]]
    assert len(expanded) >= len(BOUND)
    assert not any(
        re.search(r"documentId|parentId eq", each.partition("$filter")[2]) for each in expanded
    )


def test_rows_have_the_time_of_change_of_their_parent(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    run = tap.sync(catalog=catalog_of(tap, LINES))
    changed = {
        (row["$company"], row["id"]): row["lastModifiedDateTime"]
        for row in changing_central.rows(HEADERS)
    }
    for row in run.records(LINES):
        at = changed[row["company_id"], row["documentId"]]
        assert row[CHANGED_AT] == (None if at.startswith("0001-01-01") else at)
    assert run.schemas[LINES]["bookmark_properties"] == [CHANGED_AT]


def test_next_run_reads_the_rows_of_parents_that_have_changed(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, LINES)
    first = tap.sync(catalog=catalog)
    line = of_company(changing_central, LINES, COPY.id)[0]
    touch(changing_central, COPY.id, line["documentId"])
    second = tap.sync(catalog=catalog, state=first.state)
    expected = {
        (COPY.id, row["id"])
        for row in of_company(changing_central, LINES, COPY.id)
        if row["documentId"] == line["documentId"]
    }
    assert sent(second, LINES) == expected


def test_rows_with_a_time_of_change_of_their_own_need_no_change_of_the_parent(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    table = "journalLines"
    catalog = catalog_of(tap, table)
    first = tap.sync(catalog=catalog)
    line = of_company(changing_central, table, OWN.id)[0]
    changing_central.update(table, [OWN.id, line["id"]], {"comment": "Changed"})
    second = tap.sync(catalog=catalog, state=first.state)
    assert sent(second, table) == {(OWN.id, line["id"])}


@pytest.mark.parametrize("how", ["dialog", "gone", "refused", "fault"])
def test_parent_that_fails_is_named_and_read_by_a_later_run(
    changing_central: CentralSandbox, tap: Tap, how: str
) -> None:
    catalog = catalog_of(tap, LINES, HEADERS)
    line = of_company(changing_central, LINES, MAIN.id)[0]
    parent = line["documentId"]
    lost = {
        (MAIN.id, row["id"])
        for row in of_company(changing_central, LINES, MAIN.id)
        if row["documentId"] == parent
    }
    other = {
        "gone": {"status": 404, "code": "Internal_RecordNotFound"},
        "refused": {"status": 400, "code": "BadRequest"},
        "fault": {"status": 500, "code": "Internal_ServerError"},
    }.get(how, {})
    tap = tap.but(ws_retry_count=0)
    changing_central.break_row(LINES, [MAIN.id, line["id"]], **other)
    first = tap.sync(catalog=catalog)
    everything = stored(changing_central, LINES, *(c["id"] for c in changing_central.companies()))
    assert sent(first, LINES) == everything - lost
    assert sent(first, HEADERS) == stored(
        changing_central, HEADERS, *(c["id"] for c in changing_central.companies())
    )
    named, summary = [text for text in first.logged("WARNING") if LINES in text and "row" in text]
    assert f"{HEADERS}({parent})" in named
    assert "CorrelationId" in named
    assert "lacks the rows of 1 parent," in summary
    assert "1 of 2 tables done (1 read in part)" in first.log
    assert parts(first.state, LINES)[MAIN.id]["unread_parents"] == [[f"{HEADERS}/{LINES}", parent]]
    # It is tried again although it has not changed, and stays noted.
    second = tap.sync(catalog=catalog, state=first.state)
    assert not second.counts
    assert parts(second.state, LINES)[MAIN.id]["unread_parents"]
    changing_central.mend()
    third = tap.sync(catalog=catalog, state=second.state)
    assert sent(third, LINES) == lost
    assert "unread_parents" not in parts(third.state, LINES)[MAIN.id]


def test_two_parents_that_fail_are_the_only_ones_that_are_skipped(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, "dimensionSetLines")
    rows = of_company(changing_central, "dimensionSetLines", MAIN.id)
    for row in rows[:2]:
        changing_central.break_row("dimensionSetLines", [MAIN.id, row["id"]])
    run = tap.sync(catalog=catalog)
    found = {*told_apart(run.records("dimensionSetLines"))}
    missing = stored(changing_central, "dimensionSetLines", MAIN.id) - found
    assert {(MAIN.id, row["id"]) for row in rows[:2]} <= missing
    assert len(missing) < len(rows)


def test_version_is_not_activated_while_a_parent_is_skipped(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    tap = tap.but(emit_activate_version_messages=True)
    catalog = catalog_of(tap, LINES, replication_method="FULL_TABLE")
    line = of_company(changing_central, LINES, MAIN.id)[0]
    changing_central.break_row(LINES, [MAIN.id, line["id"]])
    first = tap.sync(catalog=catalog)
    assert not activated(first)
    (warning,) = [text for text in first.logged("WARNING") if "stay in the target" in text]
    assert MAIN.name in warning
    changing_central.mend()
    second = tap.sync(catalog=catalog, state=first.state)
    assert activated(second).keys() == {LINES}
    assert sent(second, LINES) == stored(
        changing_central, LINES, *(c["id"] for c in changing_central.companies())
    )


def test_parent_that_was_skipped_before_an_interruption_is_not_forgotten(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    tap = tap.but(emit_activate_version_messages=True, ws_retry_count=0)
    catalog = catalog_of(tap, LINES, replication_method="FULL_TABLE")
    line = of_company(changing_central, LINES, MAIN.id)[0]
    changing_central.break_row(LINES, [MAIN.id, line["id"]])
    changing_central.fault(f"{OWN.id}.*{HEADERS}", status=503, error_form="central", count=None)
    first = tap.run(catalog=catalog)
    assert first.status == 1
    changing_central.clear_faults()
    second = tap.sync(catalog=catalog, state=first.state)
    assert {company for company, _ in sent(second, LINES)} == {OWN.id}
    assert not activated(second)
    assert any("stay in the target" in text for text in second.logged("WARNING"))


def test_service_that_refuses_all_parents_is_not_asked_for_each(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    tap = tap.but(companies=[MAIN.id])
    catalog = catalog_of(tap, LINES)
    changing_central.fault(
        "expand", status=400, code="Application_DialogException", error_form="central", count=None
    )
    changing_central.clear_requests()
    run = tap.run(catalog=catalog)
    assert "Table 'salesInvoiceLines of CRONUS Sandbox Ltd.' failed." in run.refusal()
    assert len(asked_for(changing_central, HEADERS)) < len(
        of_company(changing_central, HEADERS, MAIN.id)
    )
    assert not parts(run.state, LINES).get(MAIN.id, {}).get("unread_parents")


def test_further_rows_of_a_parent_are_read_by_their_link(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    tap = tap.but(companies=[MAIN.id])
    catalog = catalog_of(tap, LINES)
    lines = of_company(changing_central, LINES, MAIN.id)
    link = f"{changing_central.service_url}companies({MAIN.id})/further"
    row = {name: value for name, value in lines[0].items() if name != "$company"}
    moved = str(row["id"]).replace("-", "")[:8]
    # The first of all parents has a link beside its lines.
    changing_central.fault(
        "expand",
        substitute=[(f'"{LINES}":', f'"{LINES}@odata.nextLink":"{link}","{LINES}":')],
        count=None,
    )
    further = {"id": f"{moved}-0000-0000-0000-000000000000", "documentId": row["documentId"]}
    body = {"value": [further]}
    changing_central.fault("further", status=200, body=body, count=None)
    run = tap.sync(catalog=catalog)
    ids = [each["id"] for each in run.records(LINES)]
    headers = of_company(changing_central, HEADERS, MAIN.id)
    assert ids.count(further["id"]) == len(headers)
    assert {each["id"] for each in lines} < {*ids}


def test_link_to_further_rows_that_comes_again_is_no_endless_loop(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    tap = tap.but(companies=[MAIN.id])
    catalog = catalog_of(tap, LINES)
    link = f"{changing_central.service_url}companies({MAIN.id})/further"
    changing_central.fault(
        "expand",
        substitute=[(f'"{LINES}":', f'"{LINES}@odata.nextLink":"{link}","{LINES}":')],
        count=None,
    )
    body = {"value": [], "@odata.nextLink": link}
    changing_central.fault("further", status=200, body=body, count=None)
    run = tap.run(catalog=catalog)
    assert "would never end" in run.refusal()


def test_line_that_was_deleted_leaves_with_the_next_version(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    tap = tap.but(emit_activate_version_messages=True)
    catalog = catalog_of(tap, LINES, replication_method="FULL_TABLE")
    first = tap.sync(catalog=catalog)
    line = of_company(changing_central, LINES, OWN.id)[0]
    changing_central.delete(LINES, [OWN.id, line["id"]])
    second = tap.sync(catalog=catalog, state=first.state)
    assert activated(second)[LINES] > activated(first)[LINES]
    assert sent(first, LINES) - sent(second, LINES) == {(OWN.id, line["id"])}


def test_expanded_pages_that_take_too_long_get_smaller(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, LINES)
    changing_central.fault("expand", over_rows=60, status=504, error_form="central", count=None)
    run = tap.sync(catalog=catalog)
    assert sent(run, LINES) == stored(
        changing_central, LINES, *(c["id"] for c in changing_central.companies())
    )
    assert "Page size of" in run.log


def test_conflict_with_another_user_is_avoided(changing_central: CentralSandbox, tap: Tap) -> None:
    catalog = catalog_of(tap, LINES)
    changing_central.configure(expand_conflicts=1_000)
    run = tap.but(ws_retry_count=0).sync(catalog=catalog)
    assert run.counts[LINES] == len(changing_central.rows(LINES))


def test_filter_is_for_the_rows_not_for_their_parents(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, LINES)
    run = tap.but(filters={LINES: "quantity gt 5000"}).sync(catalog=catalog)
    expected = {
        (row["$company"], row["id"])
        for row in changing_central.rows(LINES)
        if row["quantity"] > 5000
    }
    assert sent(run, LINES) == expected != set()


def test_start_date_is_for_the_parents(changing_central: CentralSandbox, tap: Tap) -> None:
    tap = tap.but(start_date="2024-01-01T00:00:00Z")
    run = tap.sync(catalog=catalog_of(tap, LINES))
    since = {
        (row["$company"], row["id"])
        for row in changing_central.rows(HEADERS)
        if row["lastModifiedDateTime"] >= "2024" or row["lastModifiedDateTime"].startswith("0001")
    }
    expected = {
        (row["$company"], row["id"])
        for row in changing_central.rows(LINES)
        if (row["$company"], row["documentId"]) in since
    }
    assert sent(run, LINES) == expected != stored(changing_central, LINES)


def test_parents_that_may_not_be_read_do_not_hide_those_that_may(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    table = "defaultDimensions"
    catalog = catalog_of(tap, table)
    changing_central.configure(forbidden_tables=["vendors"])
    run = tap.sync(catalog=catalog)
    customers = {(row["$company"], row["id"]) for row in changing_central.rows("customers")}
    expected = {
        (row["$company"], row["id"])
        for row in changing_central.rows(table)
        if (row["$company"], row["parentId"]) in customers
    }
    assert {*told_apart(run.records(table))} == expected != set()
    assert any("can't be read through vendors" in text for text in run.logged("WARNING"))


def test_parents_that_may_be_read_later_are_read_from_their_first_row_then(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    table = "defaultDimensions"
    catalog = catalog_of(tap, table)
    changing_central.configure(forbidden_tables=["vendors"])
    first = tap.sync(catalog=catalog)
    second = tap.sync(catalog=catalog, state=first.state)
    assert not second.counts
    changing_central.configure(forbidden_tables=[])
    third = tap.sync(catalog=catalog, state=second.state)
    everything = stored(changing_central, table, *(c["id"] for c in changing_central.companies()))
    assert sent(third, table) == everything - sent(first, table) != set()
    assert "unread_parents" not in parts(third.state, table)[MAIN.id]


def test_run_that_discovers_reads_the_metadata_document_once(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    changing_central.clear_requests()
    run = tap.but(tables=[LINES, "dimensionSetLines"]).sync()
    assert run.counts[LINES] == len(changing_central.rows(LINES))
    assert len(asked_for(changing_central, "$metadata")) == 1


def test_connection_test_reads_a_line(tap: Tap) -> None:
    run = tap.but(tables=[*BOUND]).run("--test")
    assert run.status == 0, run.log
    assert run.counts == dict.fromkeys(BOUND, 1)


def test_line_that_changes_or_is_deleted_without_its_header_is_seen_by_full_reads_only(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    incremental = catalog_of(tap, LINES)
    first = tap.sync(catalog=incremental)
    changed, deleted = of_company(changing_central, LINES, OWN.id)[:2]
    changing_central.update(LINES, [OWN.id, changed["id"]], {"description": "Changed"})
    changing_central.delete(LINES, [OWN.id, deleted["id"]])
    assert not tap.sync(catalog=incremental, state=first.state).counts
    full = catalog_of(tap, LINES, replication_method="FULL_TABLE")
    second = tap.sync(catalog=full, state=first.state)
    assert sent(first, LINES) - sent(second, LINES) == {(OWN.id, deleted["id"])}
    texts = {row["id"]: row["description"] for row in second.records(LINES)}
    assert texts[changed["id"]] == "Changed"
