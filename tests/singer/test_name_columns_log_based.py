"""Name columns with change tracking, also if annotations suppress the delta link (v8.2)."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from tests.extract.test_change_tracking import DELETED_AT, folded
from tests.labels import Expected
from tests.tap import Message, Run, Tap, entry, reads, select

if TYPE_CHECKING:
    from sandbox.client import Sandbox

# The rows of the first fit on a page.
TABLES = {"opportunity": "opportunities", "account": "accounts"}
APART = "requests the link separately"


@pytest.fixture
def service(changing_sandbox: Sandbox) -> Sandbox:
    """A Dynamics 365 of the test's own."""
    return changing_sandbox


@pytest.fixture
def tap(service: Sandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for two tables whose changes are tracked, with their labels and names."""
    more = {"fetch_size": 200, "replication_method": "LOG_BASED", "tables": [*TABLES]}
    return Tap({**service.settings, **way, **more, "show_name_columns": True})


@pytest.fixture(scope="module")
def discovered(sandbox: Sandbox) -> Message:
    """What is discovered for it in any Dynamics 365 with these tables."""
    more = {"replication_method": "LOG_BASED", "tables": [*TABLES], "show_name_columns": True}
    return Tap({**sandbox.settings, **more}).discover()


@pytest.fixture
def catalog(discovered: Message) -> Message:
    """The same, to be changed."""
    return deepcopy(discovered)


@pytest.fixture
def old_service(service: Sandbox) -> Sandbox:
    """The same in v8.2."""
    service.configure(delta_links_beside_annotations=False)
    return service


def assert_whole(service: Sandbox, *runs: Run) -> None:
    """What a target has of the runs is what the service has."""
    expected = Expected(service)
    for table in TABLES:
        assert folded(*runs, stream=table) == expected.records(table)


def change(service: Sandbox, first: Run) -> dict[str, set[str]]:
    """Change a row of each table, add one and delete one; give their keys."""
    touched = {}
    for table in TABLES:
        one, other = (row[f"{table}id"] for row in first.records(table)[:2])
        status = 2 if table == "account" else 4
        service.update(table, one, {"statecode": status // 2, "statuscode": status})
        service.delete(table, other)
        ((added,),) = [row.values() for row in service.insert(table, [{"name": "Added"}])]
        touched[table] = {one, other, added}
    return touched


def asked(service: Sandbox, table: str) -> list[Message]:
    """The requests for rows of a table since the log was cleared."""
    return reads(service.requests(), TABLES[table])


def of_ids(request: Message) -> bool:
    """Tell whether a request is for ids alone, without annotations."""
    alone = "," not in request["query"]["$select"]
    assert alone != ("include-annotations" in request["headers"]["prefer"])
    return alone


def test_labels_come_with_rows_and_changes_without_more_requests(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.clear_requests()
    first = tap.sync(catalog=catalog)
    assert_whole(service, first)
    assert len(asked(service, "opportunity")) == 1
    touched = change(service, first)
    service.clear_requests()
    second = tap.sync(catalog=catalog, state=first.state)
    assert_whole(service, first, second)
    for table, keys in touched.items():
        (request,) = asked(service, table)
        assert not of_ids(request)
        assert {row[f"{table}id"] for row in second.records(table)} == keys
        for row in second.records(table):
            assert row[DELETED_AT] is None or set(row) == {f"{table}id", DELETED_AT}
    assert not first.logged("WARNING") + second.logged("WARNING")


def test_delta_link_that_labels_suppress_is_requested_separately(
    old_service: Sandbox, tap: Tap, catalog: Message
) -> None:
    first = tap.sync(catalog=catalog)
    assert_whole(old_service, first)
    touched = change(old_service, first)
    old_service.clear_requests()
    second = tap.sync(catalog=catalog, state=first.state)
    assert_whole(old_service, first, second)
    for table, keys in touched.items():
        assert {row[f"{table}id"] for row in second.records(table)} == keys
        # The token is older than the rows: what changes in between comes again.
        assert [of_ids(request) for request in asked(old_service, table)][-2:] == [True, False]
    # Once it is known, what is in vain is not tried again; tables that are read at a time may try
    # it each.
    tried = 1 if "flattening_enabled" in tap.settings else len(TABLES)
    assert sum(len(asked(old_service, table)) for table in TABLES) <= 2 * len(TABLES) + tried
    third = tap.sync(catalog=catalog, state=second.state)
    assert not third.counts
    for run in (first, second, third):
        (warning,) = run.logged("WARNING")
        assert APART in warning
        assert all("delta_token" in run.state["bookmarks"][table] for table in TABLES)


@pytest.mark.parametrize("skip", range(4))
def test_changes_between_the_requests_are_not_missed(
    old_service: Sandbox, tap: Tap, catalog: Message, skip: int
) -> None:
    catalog = select(catalog, {"opportunity": None})
    key, *_ = [row["opportunityid"] for row in old_service.rows("opportunity")]
    update = {key: {"name": "Changed meanwhile", "statecode": 2, "statuscode": 4}}
    runs: list[Run] = []
    for _ in range(3):
        # The first run makes four requests or so, the next three.
        begun = old_service.begin("opportunity", update=update, late=False)
        old_service.fault("opportunities", skip=skip, commit=begun.number)
        runs.append(tap.sync(catalog=catalog, state=runs[-1].state if runs else None))
        if old_service.hits() == [0]:
            begun.commit()
        old_service.clear_faults()
    runs.append(tap.sync(catalog=catalog, state=runs[-1].state))
    assert folded(*runs, stream="opportunity") == Expected(old_service).records("opportunity")


def test_table_without_a_replication_key_has_its_token_before_its_rows(
    old_service: Sandbox, tap: Tap, catalog: Message
) -> None:
    for table in TABLES:
        del entry(catalog, table)["replication_key"]
    old_service.clear_requests()
    first = tap.sync(catalog=catalog)
    assert_whole(old_service, first)
    *_, token, rows = asked(old_service, "opportunity")
    assert of_ids(token)
    assert not of_ids(rows)
    change(old_service, first)
    assert_whole(old_service, first, tap.sync(catalog=catalog, state=first.state))


def test_table_without_a_replication_key_starts_again_after_an_interruption(
    old_service: Sandbox, tap: Tap, catalog: Message
) -> None:
    catalog = select(catalog, {"opportunity": None})
    del entry(catalog, "opportunity")["replication_key"]
    old_service.fault("opportunities", skip=2, count=None, status=500, body={})
    first = tap.but(ws_retry_count=0).run(catalog=catalog)
    assert first.status == 1
    assert "delta_token" not in first.state.get("bookmarks", {}).get("opportunity", {})
    old_service.clear_faults()
    second = tap.sync(catalog=catalog, state=first.state)
    assert folded(second, stream="opportunity") == Expected(old_service).records("opportunity")


def test_service_without_delta_links_is_still_read(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.configure(delta_links=False)
    run = tap.sync(catalog=catalog)
    assert_whole(service, run)
    assert any("gave no delta link after the last page" in text for text in run.logged("WARNING"))
