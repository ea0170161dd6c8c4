"""Interrupted full reads of Finance & Operations that can't be continued as they were."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.services.finance_operations.test_full_tables import (
    full,
)
from tests.services.finance_operations.test_reads import queries, reached, told_apart
from tests.tap import (
    Message,
    Run,
    Tap,
    activated,
    entry,
    own_metadata,
    versions,
)

if TYPE_CHECKING:
    from sandbox.finance_client import FinanceSandbox

PAGE = 20
TABLE = "CustomersV3"


@pytest.fixture
def service(changing_finance: FinanceSandbox) -> FinanceSandbox:
    """An environment of the test's own, with small pages."""
    changing_finance.configure(page_size_cap=PAGE)
    return changing_finance


@pytest.fixture
def tap(service: FinanceSandbox, mode: dict[str, Any]) -> Tap:
    """The tap set up for all companies, with table versions."""
    versions = {"emit_activate_version_messages": True}
    return Tap({**service.settings, **mode, **versions, "cross_company": True})


@pytest.fixture(scope="module")
def catalog(finance_sandbox: FinanceSandbox) -> Message:
    """The catalog of a large set, read in full."""
    tap = Tap({**finance_sandbox.settings, "cross_company": True, "tables": [TABLE]})
    return full(tap.discover(), TABLE)


def interrupted(service: FinanceSandbox, tap: Tap, catalog: Message) -> Run:
    """A run that ended before its second page."""
    service.fault(
        f"{TABLE}.*OrganizationName", skip=1, status=500, error_form="finance", count=None
    )
    run = tap.run(catalog=catalog)
    service.clear_faults()
    assert 0 < run.counts[TABLE] < len(reached(service, TABLE))
    return run


def test_rows_before_a_broken_one_are_read_by_every_run_but_the_next(
    service: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    """If every run continued at the broken row, the rows before it would become stale."""
    rows = sorted(
        reached(service, TABLE), key=lambda row: (row["dataAreaId"], row["CustomerAccount"])
    )
    service.configure(page_size_cap=5)
    service.break_entity(TABLE, from_row=8)
    state = tap.run(catalog=catalog).state
    key = [rows[0]["dataAreaId"], rows[0]["CustomerAccount"]]
    service.update(TABLE, key, {"OrganizationName": "Changed"})
    names = set()
    for _ in range(2):
        run = tap.run(catalog=catalog, state=state)
        state = run.state
        assert run.status == 1
        assert activated(run) == {}
        names |= {row["OrganizationName"] for row in run.records(TABLE)}
    assert "Changed" in names


def test_other_columns_are_not_sent_for_a_part_of_the_rows(
    service: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    first = interrupted(service, tap, catalog)
    fewer = json.loads(json.dumps(catalog))
    for item in entry(fewer, TABLE)["metadata"]:
        if item["breadcrumb"][-1:] == ["CreditLimit"]:
            item["metadata"]["selected"] = False
    second = tap.sync(catalog=fewer, state=first.state)
    assert second.counts[TABLE] == len(reached(service, TABLE))
    assert activated(second)[TABLE] not in versions(first, TABLE)


@pytest.mark.parametrize(
    "remaining", [[{"from": "'usmf'"}], [{"after": ["'usmf'", "'C-000001'"]}]], ids=["bound", "row"]
)
def test_read_by_another_key_begins_anew(
    service: FinanceSandbox, tap: Tap, catalog: Message, remaining: list[Message]
) -> None:
    """The bounds would be applied to another column."""
    state = json.loads(json.dumps(interrupted(service, tap, catalog).state))
    state["bookmarks"][TABLE]["full_table"]["remaining"] = remaining
    other = json.loads(json.dumps(catalog))
    stream = entry(other, TABLE)
    stream["key_properties"] = stream["key_properties"][::-1]
    own_metadata(stream)["table-key-properties"] = stream["key_properties"]
    run = tap.sync(catalog=other, state=state)
    assert told_apart(run.records(TABLE)) == told_apart(reached(service, TABLE))


def test_state_whose_members_were_sorted_is_continued(
    service: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    """Databases that keep states as JSON sort the members of objects."""
    first = interrupted(service, tap, catalog)
    state = json.loads(json.dumps(first.state, sort_keys=True))
    second = tap.sync(catalog=catalog, state=state)
    sent = [*first.records(TABLE), *second.records(TABLE)]
    assert told_apart(sent) == told_apart(reached(service, TABLE))
    assert "$filter" in queries(service, TABLE)[-1]


@pytest.mark.parametrize(
    "damaged",
    [{}, {"order": ["dataAreaId"]}, {"order": 1, "columns": "", "remaining": []}],
    ids=["empty", "incomplete", "of another type"],
)
def test_damaged_state_begins_anew(
    service: FinanceSandbox, tap: Tap, catalog: Message, damaged: Message
) -> None:
    state = {"bookmarks": {TABLE: {"full_table": damaged, "version": 7}}}
    run = tap.sync(catalog=catalog, state=state)
    assert told_apart(run.records(TABLE)) == told_apart(reached(service, TABLE))


def test_next_company_that_is_the_same_again_ends_the_division(
    service: FinanceSandbox, tap: Tap, catalog: Message
) -> None:
    """Otherwise the first page of the company would be read without end."""
    service.configure(page_size_cap=5)
    service.fault(
        "select=dataAreaId&",
        substitute=[('"dataAreaId":"[a-z]+"', '"dataAreaId":"DAT"')],
        count=None,
    )
    run = tap.sync(catalog=catalog)
    assert told_apart(run.records(TABLE)) == told_apart(reached(service, TABLE))
    asked = [query for query in queries(service, TABLE) if "$top" not in query]
    assert len(asked) < len(reached(service, TABLE))
