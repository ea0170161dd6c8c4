"""Companies: every table is read in each of them, with a bookmark for each and one version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.business_central.companies import CLOSED, COPY, EMPTY, MAIN, OWN
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
    entry,
    versions,
)

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox
    from tests.tap import Message, Run

TABLE = "customers"
OPEN = {MAIN.id, COPY.id, OWN.id, EMPTY.id}


@pytest.fixture(params=["side-by-side", "as-values"])
def tap(changing_central: CentralSandbox, request: pytest.FixtureRequest) -> Tap:
    """The tap set up for an environment of the test's own."""
    return Tap({**changing_central.settings, **WAYS[request.param]})


@pytest.fixture
def versioned(tap: Tap) -> Tap:
    """The tap with table versions."""
    return tap.but(emit_activate_version_messages=True)


def test_rows_of_all_companies_are_sent_with_their_company(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    run = tap.sync(catalog=catalog_of(tap, TABLE))
    assert sent(run, TABLE) == stored(changing_central, TABLE)
    names = {each["id"]: each["name"] for each in changing_central.companies()}
    assert all(row["company_name"] == names[row["company_id"]] for row in run.records(TABLE))
    schema = run.schemas[TABLE]
    assert schema["key_properties"] == ["company_id", "id"]
    # A copy of a company has the ids of the rows of the original.
    ids = {company: {key for own, key in sent(run, TABLE) if own == company} for company in OPEN}
    assert ids[MAIN.id] == ids[COPY.id] != set()


def test_each_request_for_rows_names_its_company(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE)
    changing_central.clear_requests()
    tap.sync(catalog=catalog)
    asked = asked_for(changing_central, TABLE)
    companies = {*OPEN, CLOSED.id}
    assert {path for path in companies if any(path in each["path"] for each in asked)} == companies
    assert all("/companies(" in each["path"] for each in asked)


def test_bookmark_of_each_company_is_its_own(changing_central: CentralSandbox, tap: Tap) -> None:
    catalog = catalog_of(tap, TABLE)
    first = tap.sync(catalog=catalog)
    assert parts(first.state, TABLE).keys() == OPEN
    key = changing_central.rows(TABLE)[0]["id"]
    changing_central.update(TABLE, [COPY.id, key], {"city": "Elsewhere"})
    second = tap.sync(catalog=catalog, state=first.state)
    assert sent(second, TABLE) == {(COPY.id, key)}


def test_company_that_is_added_later_is_read_from_its_first_row(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE)
    first = tap.sync(catalog=catalog)
    # Its rows have the ids and the old dates of the main company.
    added = changing_central.add_company("Second Copy", copy_of=MAIN.id)["id"]
    second = tap.sync(catalog=catalog, state=first.state)
    assert sent(second, TABLE) == stored(changing_central, TABLE, added)
    assert parts(second.state, TABLE).keys() == OPEN | {added}


def test_company_that_is_renamed_keeps_its_bookmark(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE)
    first = tap.sync(catalog=catalog)
    changing_central.rename_company(OWN.id, "Neuer Name AG")
    second = tap.sync(catalog=catalog, state=first.state)
    assert not second.counts
    assert parts(second.state, TABLE).keys() == OPEN


def test_company_that_is_removed_does_not_disturb_the_others(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE)
    first = tap.sync(catalog=catalog)
    changing_central.remove_company(COPY.id)
    key = changing_central.rows(TABLE)[0]["id"]
    changing_central.update(TABLE, [MAIN.id, key], {"city": "Elsewhere"})
    second = tap.sync(catalog=catalog, state=first.state)
    assert sent(second, TABLE) == {(MAIN.id, key)}


def test_company_that_refuses_is_skipped_with_one_warning_and_a_summary(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    tables = [TABLE, "vendors", "items"]
    run = tap.sync(catalog=catalog_of(tap, *tables))
    for table in tables:
        assert sent(run, table) == stored(changing_central, table)
    about = [text for text in run.logged("WARNING") if CLOSED.name in text or CLOSED.id in text]
    refusal, summary = about
    assert refusal.startswith("Skipped '")
    assert "current permissions prevented" in refusal
    assert "CorrelationId" in refusal
    assert summary == f"Skipped 3 tables of {CLOSED.name!r}: customers, items, vendors."


def test_table_that_every_company_refuses_is_skipped(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE, "vendors")
    changing_central.configure(forbidden_tables=[TABLE])
    run = tap.sync(catalog=catalog)
    assert sent(run, "vendors") == stored(changing_central, "vendors")
    assert TABLE not in run.counts
    # Not once for each company.
    skipped = [text for text in run.logged("WARNING") if "Skipped" in text and TABLE in text]
    assert [text.partition(" of ")[0] for text in skipped] == [f"Skipped '{TABLE}", "Skipped 1"]
    assert skipped[-1] == f"Skipped 1 of 2 tables: {TABLE}."


def test_failure_for_one_reason_is_logged_once_and_names_all_companies(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    changing_central.configure(closed_companies=[])
    catalog = catalog_of(tap, TABLE)
    run = tap.but(filters={TABLE: "taxLiable eq 'no boolean'"}).run(catalog=catalog)
    reason, names, last = sorted(run.logged("ERROR"), key=lambda text: "failed," in text)
    if reason.startswith("Failed"):
        reason, names = names, reason
    assert "check it." in reason
    assert all(company["name"] in names for company in changing_central.companies())
    assert last.startswith("1 of 1 table failed")


def test_run_in_which_no_company_can_be_read_fails(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE)
    changing_central.configure(
        closed_companies=[each["id"] for each in changing_central.companies()]
    )
    run = tap.run(catalog=catalog)
    assert "None of the selected tables can be read." in run.refusal()


def test_selected_companies_are_the_only_ones_that_are_read(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE)
    changing_central.clear_requests()
    run = tap.but(companies=["cronus*", OWN.id]).sync(catalog=catalog)
    assert sent(run, TABLE) == stored(changing_central, TABLE, MAIN.id, OWN.id)
    asked = asked_for(changing_central, TABLE)
    assert not any(COPY.id in each["path"] for each in asked)


def test_full_table_has_one_version_for_all_companies(
    changing_central: CentralSandbox, versioned: Tap
) -> None:
    catalog = catalog_of(versioned, TABLE, replication_method="FULL_TABLE")
    versioned = versioned.but(companies=["[!C]*", "C[!l]*"])
    first = versioned.sync(catalog=catalog)
    (version,) = versions(first, TABLE)
    assert activated(first) == {TABLE: version}
    assert sent(first, TABLE) == stored(changing_central, TABLE)
    second = versioned.sync(catalog=catalog, state=first.state)
    assert sent(second, TABLE) == stored(changing_central, TABLE)
    assert activated(second)[TABLE] > version


def test_version_is_not_activated_while_a_company_is_skipped(
    changing_central: CentralSandbox, versioned: Tap
) -> None:
    catalog = catalog_of(versioned, TABLE, replication_method="FULL_TABLE")
    first = versioned.sync(catalog=catalog)
    assert sent(first, TABLE) == stored(changing_central, TABLE)
    assert not activated(first)
    (warning,) = [text for text in first.logged("WARNING") if "stay in the target" in text]
    assert CLOSED.name in warning
    # Nothing is left over for the next run to continue.
    changing_central.configure(closed_companies=[])
    second = versioned.sync(catalog=catalog, state=first.state)
    assert sent(second, TABLE) == stored(
        changing_central, TABLE, *(each["id"] for each in changing_central.companies())
    )
    (version,) = versions(second, TABLE)
    assert activated(second) == {TABLE: version}
    assert version not in versions(first, TABLE)


def test_full_table_that_fails_in_one_company_is_continued_there_alone(
    changing_central: CentralSandbox, versioned: Tap
) -> None:
    changing_central.configure(closed_companies=[])
    catalog = catalog_of(versioned, TABLE, replication_method="FULL_TABLE")
    changing_central.fault(f"{OWN.id}.*{TABLE}", status=500, error_form="central", count=None)
    first = versioned.but(ws_retry_count=0).run(catalog=catalog)
    assert first.status == 1
    assert not activated(first)
    changing_central.clear_faults()
    second = versioned.sync(catalog=catalog, state=first.state)
    assert sent(second, TABLE) == stored(changing_central, TABLE, OWN.id)
    assert versions(first, TABLE) == versions(second, TABLE)
    assert activated(second).keys() == {TABLE}
    third = versioned.sync(catalog=catalog, state=second.state)
    assert len(sent(third, TABLE)) == len(changing_central.rows(TABLE))


def test_table_without_a_key_begins_again_as_a_whole(
    changing_central: CentralSandbox, versioned: Tap
) -> None:
    # The target would have rows twice that it can't tell apart.
    table = "loyaltyTotals"
    changing_central.configure(closed_companies=[])
    versioned = versioned.but(
        service_url=changing_central.api_url("api/sandbox/loyalty/v1.0"), fetch_size=3
    )
    catalog = catalog_of(versioned, table)
    assert entry(catalog, table)["key_properties"] == []
    changing_central.fault(f"{OWN.id}.*{table}", status=500, error_form="central", count=None)
    first = versioned.but(ws_retry_count=0).run(catalog=catalog)
    assert first.status == 1
    changing_central.clear_faults()
    second = versioned.sync(catalog=catalog, state=first.state)
    assert second.counts[table] == len(changing_central.rows(table))
    (version,) = versions(second, table)
    assert version not in versions(first, table)
    assert activated(second) == {table: version}


def test_company_that_fails_for_good_does_not_keep_the_others_from_being_read(
    changing_central: CentralSandbox, versioned: Tap
) -> None:
    changing_central.configure(closed_companies=[])
    versioned = versioned.but(ws_retry_count=0)
    catalog = catalog_of(versioned, TABLE, replication_method="FULL_TABLE")
    changing_central.fault(f"{OWN.id}.*{TABLE}", status=500, error_form="central", count=None)
    others = stored(changing_central, TABLE) - stored(changing_central, TABLE, OWN.id)
    first = versioned.run(catalog=catalog)
    # It tries to complete the version, in vain. The run after that begins another one.
    second = versioned.run(catalog=catalog, state=first.state)
    third = versioned.run(catalog=catalog, state=second.state)
    assert [run.status for run in (first, second, third)] == [1, 1, 1]
    assert others <= sent(first, TABLE)
    assert not second.counts
    assert others <= sent(third, TABLE)
    assert versions(first, TABLE) < versions(first, TABLE) | versions(third, TABLE)
    assert not activated(third)


def test_filter_that_changes_during_a_full_read_begins_a_new_version(
    changing_central: CentralSandbox, versioned: Tap
) -> None:
    changing_central.configure(closed_companies=[])
    catalog = catalog_of(versioned, TABLE, replication_method="FULL_TABLE")
    changing_central.fault(f"{OWN.id}.*{TABLE}", status=500, error_form="central", count=None)
    first = versioned.but(ws_retry_count=0).run(catalog=catalog)
    changing_central.clear_faults()
    filtered = versioned.but(filters={TABLE: "taxLiable eq true"})
    second = filtered.sync(catalog=catalog, state=first.state)
    (version,) = versions(second, TABLE)
    assert version not in versions(first, TABLE)
    assert activated(second) == {TABLE: version}
    assert {company for company, _ in sent(second, TABLE)} >= {MAIN.id, COPY.id}


def test_rows_of_companies_that_are_no_longer_selected_stay_in_the_target(
    changing_central: CentralSandbox, versioned: Tap
) -> None:
    changing_central.configure(closed_companies=[])
    catalog = catalog_of(versioned, TABLE, replication_method="FULL_TABLE")
    first = versioned.sync(catalog=catalog)
    assert activated(first)
    second = versioned.but(companies=[MAIN.name]).sync(catalog=catalog, state=first.state)
    assert sent(second, TABLE) == stored(changing_central, TABLE, MAIN.id)
    assert not activated(second)
    (warning,) = [text for text in second.logged("WARNING") if "stay in the target" in text]
    assert repr(OWN.name) in warning
    third = versioned.sync(catalog=catalog, state=second.state)
    assert activated(third)


def test_rows_of_a_company_that_was_removed_leave_with_the_next_version(
    changing_central: CentralSandbox, versioned: Tap
) -> None:
    changing_central.configure(closed_companies=[])
    catalog = catalog_of(versioned, TABLE, replication_method="FULL_TABLE")
    first = versioned.sync(catalog=catalog)
    changing_central.remove_company(COPY.id)
    second = versioned.sync(catalog=catalog, state=first.state)
    assert activated(second)[TABLE] > activated(first)[TABLE]
    assert COPY.id not in {company for company, _ in sent(second, TABLE)}


def test_filter_applies_in_each_company(changing_central: CentralSandbox, tap: Tap) -> None:
    catalog = catalog_of(tap, TABLE)
    run = tap.but(filters={TABLE: "taxLiable eq true"}).sync(catalog=catalog)
    expected = {
        (row["$company"], row["id"])
        for row in changing_central.rows(TABLE)
        if row["taxLiable"] and row["$company"] != CLOSED.id
    }
    assert sent(run, TABLE) == expected != stored(changing_central, TABLE)


def test_call_limit_is_for_all_companies_of_a_table(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE)
    limited = tap.but(stmt_call_limit=2, stmt_call_limit_behavior="ReturnResults", fetch_size=2)
    changing_central.clear_requests()
    limited.sync(catalog=catalog)
    assert len(asked_for(changing_central, TABLE)) == 2


def test_companies_that_a_call_limit_left_out_come_first_in_the_next_run(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    changing_central.configure(closed_companies=[])
    catalog = catalog_of(tap, TABLE)
    limited = tap.but(stmt_call_limit=2, stmt_call_limit_behavior="ReturnResults")
    found: set[tuple[str, ...]] = set()
    state = None
    for _ in range(4):
        run = limited.sync(catalog=catalog, state=state)
        found, state = found | {*told_apart(run.records(TABLE))}, run.state
    assert found == stored(
        changing_central, TABLE, *(c["id"] for c in changing_central.companies())
    )


@pytest.mark.parametrize("context", [None, {}, {"company_id": "another"}])
def test_entry_of_no_company_in_the_state_is_ignored(
    changing_central: CentralSandbox, tap: Tap, context: dict[str, str] | None
) -> None:
    state = {"bookmarks": {TABLE: {"partitions": [{"context": context}]}}}
    run = tap.sync(catalog=catalog_of(tap, TABLE), state=state)
    assert sent(run, TABLE) == stored(changing_central, TABLE)


def test_connection_test_finds_a_row_in_some_company(
    changing_central: CentralSandbox, tap: Tap
) -> None:
    catalog = catalog_of(tap, TABLE, "salesInvoiceLines")
    changing_central.configure(closed_companies=[MAIN.id, CLOSED.id])
    run = tap.run("--test", catalog=catalog)
    assert run.status == 0, run.log
    assert f"{TABLE}: 1 row." in run.log
    assert "salesInvoiceLines: 1 row." in run.log


def test_full_table_is_spread_over_runs_by_the_call_limit(
    changing_central: CentralSandbox, versioned: Tap
) -> None:
    changing_central.configure(closed_companies=[])
    catalog = catalog_of(versioned, TABLE, replication_method="FULL_TABLE")
    limit = {"stmt_call_limit": 3, "stmt_call_limit_behavior": "ReturnResults"}
    limited = versioned.but(**limit, fetch_size=5)
    state: Message = {}
    runs: list[Run] = []
    while not runs or not activated(runs[-1]):
        runs.append(limited.sync(catalog=catalog, state=state))
        state = runs[-1].state
        assert len(runs) < 20
    rows = [row for run in runs for row in told_apart(run.records(TABLE))]
    everywhere = [each["id"] for each in changing_central.companies()]
    assert sorted(rows) == sorted(stored(changing_central, TABLE, *everywhere))
    assert len({version for run in runs for version in versions(run, TABLE)}) == 1
    assert len(runs) > 4
