"""Full reads of Finance & Operations: table versions, interruptions, companies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.finance_operations.test_reads import reached, told_apart
from tests.tap import (
    Message,
    Run,
    Tap,
    activated,
    killed,
    own_metadata,
    reads,
    select,
    versions,
)

if TYPE_CHECKING:
    from sandbox.finance_client import FinanceSandbox

PAGE = 20
TABLE = "CustomersV3"
# Sets whose keys can be compared in full, and in part.
WHOLE, IN_PART = TABLE, "PriceAgreements"


@pytest.fixture
def service(changing_finance: FinanceSandbox) -> FinanceSandbox:
    """An environment of the test's own, with small pages."""
    changing_finance.configure(page_size_cap=PAGE)
    return changing_finance


@pytest.fixture
def tap(service: FinanceSandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for all companies, with table versions."""
    versions = {"emit_activate_version_messages": True}
    return Tap({**service.settings, **way, **versions, "cross_company": True})


@pytest.fixture(scope="module")
def discovered(finance_sandbox: FinanceSandbox) -> Message:
    """What the tap discovers in any such environment."""
    return Tap({**finance_sandbox.settings, "cross_company": True, "tables": ["*"]}).discover()


def full(discovered: Message, *tables: str) -> Message:
    """The catalog of some sets, read in full."""
    catalog = select(discovered, dict.fromkeys(tables))
    for stream in catalog["streams"]:
        own_metadata(stream)["replication-method"] = "FULL_TABLE"
    return catalog


def test_read_that_fails_is_continued_under_the_same_version(
    service: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    tables = [WHOLE, IN_PART]
    catalog = full(discovered, *tables, "Currencies")
    for table in tables:
        service.fault(table, skip=1, status=500, error_form="finance", count=None)
    first = tap.run(catalog=catalog)
    assert first.status == 1
    assert set(activated(first)) == {"Currencies"}
    service.clear_faults()
    service.clear_requests()
    second = tap.sync(catalog=catalog, state=first.state)
    assert set(activated(second)) == {*tables, "Currencies"}
    for table in tables:
        version = activated(second)[table]
        assert versions(first, table) == versions(second, table) == {version}
        assert 0 < first.counts[table] < len(reached(service, table))
        sent = [*first.records(table), *second.records(table)]
        assert told_apart(sent) == told_apart(reached(service, table))
        assert "$filter" in reads(service.requests(), table)[0]["query"]
    assert "Continuing the full read of 'CustomersV3' that was interrupted." in second.log
    third = tap.sync(catalog=catalog, state=second.state)
    for table in tables:
        assert activated(third)[table] > activated(second)[table]
        assert told_apart(third.records(table)) == told_apart(reached(service, table))


@pytest.mark.parametrize("lines", [30, 45, 60])
def test_run_that_is_killed_is_continued_after_its_last_state(
    service: FinanceSandbox, tap: Tap, discovered: Message, lines: int
) -> None:
    catalog = full(discovered, WHOLE)
    first = killed(tap, catalog, None, lines)
    second = tap.sync(catalog=catalog, state=first.state or None)
    sent = [*first.records(WHOLE), *second.records(WHOLE)]
    assert {*told_apart(sent)} == {*told_apart(reached(service, WHOLE))}
    assert not activated(first)
    (version,) = versions(second, WHOLE)
    assert activated(second) == {WHOLE: version}


def test_companies_that_were_read_side_by_side_are_all_continued(
    service: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    service.configure(page_size_cap=5)
    catalog = full(discovered, WHOLE)
    runs: list[Run] = []
    for skip in (4, 5, 6, 7, 8, 9):
        # The last companies may be ahead of the first ones when the run ends.
        service.clear_faults()
        service.fault(f"{WHOLE}.*OrganizationName", skip=skip, status=500, count=None)
        state = runs[-1].state if runs else None
        runs.append(tap.but(ws_retry_count=0).run(catalog=catalog, state=state))
        if runs[-1].status == 0:
            break
        assert not activated(runs[-1])
    service.clear_faults()
    if runs[-1].status:
        runs.append(tap.sync(catalog=catalog, state=runs[-1].state))
    sent = [row for run in runs for row in run.records(WHOLE)]
    assert told_apart(sent) == told_apart(reached(service, WHOLE))
    assert len({version for run in runs for version in versions(run, WHOLE)}) == 1
    assert len(runs) > 1


def test_read_cut_short_by_the_call_limit_is_continued(
    service: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    catalog = full(discovered, WHOLE)
    limit = {"stmt_call_limit": 2, "stmt_call_limit_behavior": "ReturnResults"}
    first = tap.but(**limit).sync(catalog=catalog)
    assert 0 < first.counts[WHOLE] < len(reached(service, WHOLE))
    second = tap.sync(catalog=catalog, state=first.state)
    sent = [*first.records(WHOLE), *second.records(WHOLE)]
    assert told_apart(sent) == told_apart(reached(service, WHOLE))
    assert activated(first) == {}
    assert versions(first, WHOLE) == {activated(second)[WHOLE]}


def test_rows_that_were_there_all_the_time_are_sent_whatever_comes_and_goes(
    service: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    """Deletions shift the rows behind them, insertions do so the other way."""
    tables = {"CustomersV3": "CustomerAccount", IN_PART: "AccountCode"}
    stay: dict[str, list[Message]] = {}
    for table, column in tables.items():
        key = next(found["key"] for found in service.tables() if found["name"] == table)
        rows = service.rows(table)
        gone = rows[:7] + rows[-3:]
        new = [{**row, column: f"!{n}"} for n, row in enumerate(rows[::9])]
        left = [row for row in rows if row not in gone]
        stay[table] = reached(service, table, rows=left)
        deletion = service.begin(
            table, delete=[json.dumps([row[name] for name in key], default=float) for row in gone]
        )
        addition = service.begin(table, insert=new)
        for change in (deletion, addition):
            service.fault(table, skip=1, commit=change.number)
    run = tap.sync(catalog=full(discovered, *tables))
    assert service.hits() == [1] * 4
    for table in tables:
        assert {*told_apart(run.records(table))} >= {*told_apart(stay[table])}


def narrowed(tap: Tap) -> Tap:
    """The tap set up for the default company only."""
    return tap.but(cross_company=False)


def test_rows_of_other_companies_stay_in_the_target_when_the_option_is_lost(
    service: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    catalog = full(discovered, WHOLE, "Currencies")
    state = tap.sync(catalog=catalog).state
    for _ in range(2):
        run = narrowed(tap).sync(catalog=catalog, state=state)
        state = run.state
        assert activated(run) == {}
        assert told_apart(run.records(WHOLE)) == told_apart(reached(service, WHOLE, "usmf"))
        warnings = [text for text in run.logged("WARNING") if repr(WHOLE) in text]
        assert len(warnings) == 1
        assert "all companies" in warnings[0]
        assert "Set cross_company to true" in warnings[0]
    wide = tap.sync(catalog=catalog, state=state)
    assert set(activated(wide)) == {WHOLE, "Currencies"}
    assert told_apart(wide.records(WHOLE)) == told_apart(reached(service, WHOLE))
    assert not wide.logged("WARNING")


def test_wider_read_replaces_the_rows_of_one_company(
    service: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    catalog = full(discovered, WHOLE)
    narrow = narrowed(tap).sync(catalog=catalog)
    assert set(activated(narrow)) == {WHOLE}
    wide = tap.sync(catalog=catalog, state=narrow.state)
    assert set(activated(wide)) == {WHOLE}
    assert told_apart(wide.records(WHOLE)) == told_apart(reached(service, WHOLE))


@pytest.mark.parametrize("begins_narrow", [True, False], ids=["narrow-first", "wide-first"])
def test_read_of_other_companies_is_never_continued(
    service: FinanceSandbox,
    tap: Tap,
    discovered: Message,
    begins_narrow: bool,  # noqa: FBT001 - a parameter
) -> None:
    taps = [narrowed(tap), tap] if begins_narrow else [tap, narrowed(tap)]
    service.configure(page_size_cap=5)
    catalog = full(discovered, WHOLE)
    service.break_entity(WHOLE, from_row=8)
    first = taps[0].run(catalog=catalog)
    assert 0 < first.counts[WHOLE] < 8
    second = taps[1].run(catalog=catalog, state=first.state)
    assert 0 < second.counts[WHOLE] < 8
    service.mend()
    third = tap.sync(catalog=catalog, state=second.state)
    assert activated(third) == {WHOLE: max(versions(third, WHOLE))}
    active = [
        message["record"]
        for run in (first, second, third)
        for message in run.messages
        if message["type"] == "RECORD" and message["version"] == activated(third)[WHOLE]
    ]
    assert {*told_apart(active)} == {*told_apart(reached(service, WHOLE))}


def test_interrupted_read_begins_anew_with_another_filter(
    service: FinanceSandbox, tap: Tap, discovered: Message
) -> None:
    catalog = full(discovered, WHOLE)
    service.break_entity(WHOLE, from_row=PAGE + 5)
    first = tap.run(catalog=catalog)
    service.mend()
    filtered = tap.but(filters={WHOLE: "dataAreaId eq 'usmf'"})
    second = filtered.sync(catalog=catalog, state=first.state)
    assert told_apart(second.records(WHOLE)) == told_apart(reached(service, WHOLE, "usmf"))
    assert activated(second)[WHOLE] not in versions(first, WHOLE)
