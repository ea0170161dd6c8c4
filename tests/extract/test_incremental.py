"""Incremental replication: late commits, clock skew, date limits, unusable bookmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.tap import Message, Run, Tap, choose, look_back, reads, select

if TYPE_CHECKING:
    from sandbox.client import Sandbox

STREAM = "account"


@pytest.fixture
def service(changing_sandbox: Sandbox) -> Sandbox:
    """A Dynamics 365 of the test's own."""
    return changing_sandbox


@pytest.fixture
def tap(service: Sandbox, way: dict[str, Any]) -> Tap:
    """The tap set up for a table of several pages."""
    return Tap({**service.settings, **way, "fetch_size": 100, "tables": [STREAM]})


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox) -> Message:
    """Its catalog in any Dynamics 365, with few columns."""
    found = Tap({**sandbox.settings, "tables": [STREAM]}).discover()
    return select(found, {STREAM: ["name"]})


def bookmark(run: Run) -> Message:
    """What the state says of the table."""
    found: Message = run.state["bookmarks"][STREAM]
    return found


def filters(service: Sandbox) -> list[str]:
    """The filters asked with since the log was cleared."""
    return [request["query"].get("$filter", "") for request in reads(service.requests())]


def names(*runs: Run) -> dict[str, str]:
    """The latest name of each row."""
    return {row["accountid"]: row["name"] for run in runs for row in run.records(STREAM)}


def stored(service: Sandbox) -> dict[str, str]:
    """The name of each row in the service."""
    return {row["accountid"]: row["name"] for row in service.rows(STREAM)}


def by_version(catalog: Message) -> Message:
    """The catalog with the replication key versionnumber."""
    return choose(catalog, STREAM, replication_key="versionnumber")


@pytest.mark.parametrize("key", ["modifiedon", "versionnumber", "createdon"])
def test_row_committed_late_is_sent_by_the_next_run(
    service: Sandbox, tap: Tap, catalog: Message, key: str
) -> None:
    chosen = choose(catalog, STREAM, replication_key=key)
    first = tap.sync(catalog=chosen)
    runs = [first]
    for _ in range(3):
        late = service.begin(STREAM, insert=[{"name": "Late"}])
        service.insert(STREAM, [{"name": "Meanwhile"}])
        runs.append(tap.sync(catalog=chosen, state=runs[-1].state))
        late.commit()
    runs.append(tap.sync(catalog=chosen, state=runs[-1].state))
    assert names(*runs) == stored(service)


def test_run_without_lookback_begins_with_the_bookmark(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    tap = tap.but(lookback_seconds=0)
    for chosen, key in ((catalog, "modifiedon"), (by_version(catalog), "versionnumber")):
        first = tap.sync(catalog=chosen)
        assert "replication_key_overlap" not in bookmark(first)
        service.clear_requests()
        second = tap.sync(catalog=chosen, state=first.state)
        assert filters(service) == [f"{key} ge {bookmark(first)['replication_key_value']}"]
        assert second.state == first.state


def test_lookback_does_not_move_the_bookmark_back(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    first = tap.sync(catalog=catalog)
    last = first.records(STREAM)[-1]
    service.delete(STREAM, last["accountid"])
    service.clear_requests()
    second = tap.but(lookback_seconds=86_400 * 40).sync(catalog=catalog, state=first.state)
    since = look_back(last["modifiedon"], 86_400 * 40)
    assert filters(service)[0] == f"modifiedon ge {since}"
    assert second.records(STREAM)[0]["modifiedon"] >= since
    assert second.state == first.state


def test_run_by_a_numeric_key_begins_where_the_last_run_began(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    chosen = by_version(catalog)
    values = []
    runs: list[Run] = []
    for _ in range(4):
        service.clear_requests()
        runs.append(tap.sync(catalog=chosen, state=runs[-1].state if runs else None))
        values.append(bookmark(runs[-1])["replication_key_value"])
        began = filters(service)[0]
        service.insert(STREAM, [{"name": "New"}])
    # The first load has no beginning but the table's: the second run reads it once more.
    assert len(runs[1].records(STREAM)) == len(runs[0].records(STREAM)) + 1
    assert began == f"versionnumber ge {values[1]}"
    assert len(runs[3].records(STREAM)) == 3


def test_row_dated_in_the_future_hides_no_changes(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.insert(STREAM, [{"name": "Ahead", "modifiedon": "2099-01-01T00:00:00Z"}])
    first = tap.sync(catalog=catalog)
    assert bookmark(first)["replication_key_value"] < "2099"
    service.update(STREAM, first.records(STREAM)[0]["accountid"], {"name": "Changed"})
    second = tap.sync(catalog=catalog, state=first.state)
    assert names(first, second) == stored(service)
    assert {"Ahead", "Changed"} <= {row["name"] for row in second.records(STREAM)}
    assert not second.logged("WARNING")


@pytest.mark.parametrize("hours", [-5, 5])
def test_clock_of_the_service_that_differs_loses_no_row(
    service: Sandbox, tap: Tap, catalog: Message, hours: int
) -> None:
    service.configure(clock_offset=hours * 3_600)
    runs = [tap.sync(catalog=catalog)]
    for number in range(3):
        service.update(STREAM, runs[0].records(STREAM)[number]["accountid"], {"name": "Changed"})
        runs.append(tap.sync(catalog=catalog, state=runs[-1].state))
        assert len(runs[-1].records(STREAM)) <= number + 2
    assert names(*runs) == stored(service)
    assert not runs[-1].logged("WARNING")


def test_bookmark_in_the_future_causes_a_warning_and_a_full_read(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    ahead = {"replication_key": "modifiedon", "replication_key_value": "2099-01-01T00:00:00Z"}
    run = tap.sync(catalog=catalog, state={"bookmarks": {STREAM: ahead}})
    (warning,) = run.logged("WARNING")
    assert "2099-01-01T00:00:00Z" in warning
    assert names(run) == stored(service)
    assert bookmark(run)["replication_key_value"] == max(
        row["modifiedon"] for row in run.records(STREAM)
    )
    assert not tap.sync(catalog=catalog, state=run.state).logged("WARNING")


def test_dates_at_the_limits_are_read(service: Sandbox, tap: Tap, catalog: Message) -> None:
    early = [
        {"name": day, "modifiedon": f"{day}T00:00:00Z"} for day in ("0001-01-01", "1753-01-01")
    ]
    service.insert(STREAM, early)
    run = tap.sync(catalog=catalog)
    assert names(run) == stored(service)
    assert [row["name"] for row in run.records(STREAM)[:2]] == ["0001-01-01", "1753-01-01"]


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00Z", "1753-01-01T00:00:00Z"])
def test_bookmark_at_the_limits_is_continued(
    service: Sandbox, tap: Tap, catalog: Message, value: str
) -> None:
    state = {"replication_key": "modifiedon", "replication_key_value": value}
    run = tap.sync(catalog=catalog, state={"bookmarks": {STREAM: state}})
    assert names(run) == stored(service)


def test_milliseconds_are_kept_and_ordered(service: Sandbox, tap: Tap, catalog: Message) -> None:
    moments = [f"2026-05-01T00:00:00{fraction}Z" for fraction in ("", ".005", ".25")]
    service.insert(STREAM, [{"name": moment, "modifiedon": moment} for moment in moments])
    first = tap.sync(catalog=catalog)
    assert bookmark(first)["replication_key_value"] == moments[-1]
    service.clear_requests()
    second = tap.but(lookback_seconds=0).sync(catalog=catalog, state=first.state)
    assert filters(service) == ["modifiedon ge 2026-05-01T00:00:00.250000Z"]
    assert [row["name"] for row in second.records(STREAM)] == moments[-1:]


@pytest.mark.parametrize(
    "state",
    [
        {"replication_key": "versionnumber", "replication_key_value": 4711},
        {"replication_key": "modifiedon", "replication_key_value": "yesterday"},
        {"replication_key": "modifiedon", "replication_key_value": 4711},
    ],
)
def test_bookmark_that_is_not_usable_is_named_in_a_warning(
    service: Sandbox, tap: Tap, catalog: Message, state: Message
) -> None:
    run = tap.sync(catalog=catalog, state={"bookmarks": {STREAM: state}})
    (warning,) = run.logged("WARNING")
    assert f"'{STREAM}'" in warning
    assert str(state["replication_key_value"]) in warning
    assert names(run) == stored(service)


def test_column_that_cannot_be_a_bookmark_is_refused_in_one_sentence(
    tap: Tap, catalog: Message
) -> None:
    sentence = tap.run(catalog=choose(catalog, STREAM, replication_key="name")).refusal()
    for word in (f"'{STREAM}'", "'name'", "can't be a bookmark", "modifiedon", "versionnumber"):
        assert word in sentence
