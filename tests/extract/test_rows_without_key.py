"""Rows without a value of the replication key, which no bookmark covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox import client
from tests.tap import Message, Run, Tap, choose, reads, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox

STREAM, SET, KEY = "account", "accounts", "accountid"


@pytest.fixture
def service() -> Iterator[Sandbox]:
    """A Dynamics 365 with some pages of a table, each row of which has a date."""
    with client.running(rows=20, sizes={STREAM: 8}) as running:
        yield running


@pytest.fixture
def tap(service: Sandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for it."""
    return Tap({**service.settings, **way, "fetch_size": 3, "tables": [STREAM]})


@pytest.fixture
def catalog(tap: Tap) -> Message:
    """Its catalog, with few columns."""
    return select(tap.discover(), {STREAM: ["name"]})


def add(service: Sandbox, name: str) -> str:
    """Add a row without a date; give its key."""
    (row,) = service.insert(STREAM, [{"name": name, "modifiedon": None}])
    key: str = row[KEY]
    return key


def keys(run: Run) -> set[str]:
    """The keys of the rows that were sent."""
    return {row[KEY] for row in run.records(STREAM)}


def asked_for_nulls(service: Sandbox) -> int:
    """How many requests were for rows without a value."""
    log = reads(service.requests(), SET)
    return sum("eq null" in request["query"].get("$filter", "") for request in log)


def nulls(run: Run) -> Any:  # noqa: ANN401 - true, false or nothing
    """What the state knows of such rows."""
    return run.state["bookmarks"][STREAM].get("replication_key_nulls")


def test_rows_without_a_date_are_sent_by_each_run_once_seen(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    early = add(service, "Early")
    first = tap.sync(catalog=catalog)
    assert keys(first) == {row[KEY] for row in service.rows(STREAM)}
    assert nulls(first) is True
    late = [add(service, "Late") for _ in range(4)]
    second = tap.sync(catalog=catalog, state=first.state)
    assert {early, *late} <= keys(second)
    assert "without a value of 'modifiedon'" in second.log
    assert second.state == first.state
    for key in (early, *late):
        service.delete(STREAM, key)
    third = tap.sync(catalog=catalog, state=second.state)
    assert nulls(third) is False
    service.clear_requests()
    fourth = tap.sync(catalog=catalog, state=third.state)
    assert asked_for_nulls(service) == 0
    assert fourth.state == third.state


def test_rows_without_a_date_are_requested_once_if_unknown(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    """The state after an earlier release, or after a first load that continued at a bookmark."""
    first = tap.sync(catalog=catalog)
    assert nulls(first) is False
    service.clear_requests()
    tap.sync(catalog=catalog, state=first.state)
    assert asked_for_nulls(service) == 0
    del first.state["bookmarks"][STREAM]["replication_key_nulls"]
    late = add(service, "Late")
    second = tap.sync(catalog=catalog, state=first.state)
    assert late in keys(second)
    assert asked_for_nulls(service) == 1
    assert nulls(second) is True


def test_rows_without_a_value_of_a_chosen_key_are_requested_by_each_run(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    """Such a column is empty in some rows sooner or later."""
    for number, row in enumerate(service.rows(STREAM), 1):
        service.update(STREAM, row[KEY], {"lastusedincampaign": f"2026-01-0{number}T00:00:00Z"})
    chosen = choose(catalog, STREAM, replication_key="lastusedincampaign")
    first = tap.sync(catalog=chosen)
    assert nulls(first) is False
    (late,) = service.insert(STREAM, [{"name": "Late"}])
    second = tap.sync(catalog=chosen, state=first.state)
    assert late[KEY] in keys(second)


def test_rows_without_a_date_are_left_out_if_the_condition_is_not_supported(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    first = tap.sync(catalog=catalog)
    del first.state["bookmarks"][STREAM]["replication_key_nulls"]
    for _ in range(2):
        service.fault("eq null", status=400, code="0x80060888", count=None)
        run = tap.sync(catalog=catalog, state=first.state)
        assert not run.logged("WARNING")
        first = run
    assert service.hits() == [1, 0]


def test_rows_without_a_date_do_not_use_up_the_call_limit(tap: Tap, catalog: Message) -> None:
    first = tap.sync(catalog=catalog)
    del first.state["bookmarks"][STREAM]["replication_key_nulls"]
    run = tap.but(stmt_call_limit=1).sync(catalog=catalog, state=first.state)
    assert not run.logged("WARNING")
    assert run.state == first.state


@pytest.mark.parametrize("method", ["INCREMENTAL", "LOG_BASED"])
def test_rows_without_a_date_are_sent_after_a_change_of_methods(
    service: Sandbox, tap: Tap, catalog: Message, method: str
) -> None:
    tap = tap.but(emit_activate_version_messages=False)
    other = {"INCREMENTAL": "LOG_BASED", "LOG_BASED": "INCREMENTAL"}[method]
    first = tap.sync(catalog=choose(catalog, STREAM, replication_method=other))
    late = add(service, "Late")
    second = tap.sync(catalog=choose(catalog, STREAM, replication_method=method), state=first.state)
    assert late in keys(second)
