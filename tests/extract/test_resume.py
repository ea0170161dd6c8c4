"""Resumed runs, and rows that change during a run: nothing is lost."""

from __future__ import annotations

import itertools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from sandbox import client
from tests.tap import Message, Run, Tap, look_back, reads, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.client import Sandbox

# One table by date whose rows share their seconds, one by version number.
BY_DATE, BY_VERSION = "new_größe", "teammembership"
SETS = {BY_DATE: "new_größen", BY_VERSION: "teammemberships"}
KEYS = {BY_DATE: "new_größeid", BY_VERSION: "teammembershipid"}
ROWS = 26_000


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A Dynamics 365 with one table of many rows."""
    with client.running(rows=ROWS, table=BY_DATE) as running:
        yield running


@pytest.fixture(scope="module")
def tap(sandbox: Sandbox, tap_for: Callable[..., Tap]) -> Tap:
    """The tap set up for these tables."""
    return tap_for(sandbox, tables=list(SETS), fetch_size=1_000)


@pytest.fixture(scope="module")
def catalog(tap: Tap) -> Message:
    """Their catalog, with few columns."""
    return select(tap.discover(), {BY_DATE: ["type"], BY_VERSION: []})


def until_killed(tap: Tap, catalog: Message, state: Message, lines: int) -> tuple[Run, bool]:
    """Run a sync and kill it after a number of lines.

    Returns:
        What it had written until then, and whether it came to its end before.
    """
    with TemporaryDirectory() as folder:
        process = tap.start(Path(folder), catalog=catalog, state=state or None)
        try:
            output = process.stdout or ()
            written = [line.decode() for line in itertools.islice(output, lines)]
        finally:
            process.kill()
            process.communicate()
    return Run(process.returncode, "".join(written), ""), len(written) < lines


def rows_of(service: Sandbox, stream: str) -> set[str]:
    """The keys of the rows that the service has."""
    return {row[KEYS[stream]] for row in service.rows(stream)}


def test_run_killed_repeatedly_is_resumed_until_every_row_was_sent(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    sent: dict[str, set[str]] = {stream: set() for stream in SETS}
    state: Message = {}
    for attempt in range(10):
        service.clear_requests()
        run, finished = until_killed(tap, catalog, state, 11_000)
        for stream in SETS:
            sent[stream] |= {row[KEYS[stream]] for row in run.records(stream)}
        if attempt and not finished:
            bookmark = state["bookmarks"][BY_DATE]["replication_key_value"]
            first = reads(service.requests(), SETS[BY_DATE])[0]
            assert first["query"]["$filter"] == f"modifiedon ge {look_back(bookmark)}"
        state = run.state or state
        if finished:
            break
    # The table is more than two lives long.
    assert attempt >= 2
    assert finished
    assert sent == {stream: rows_of(service, stream) for stream in SETS}


def test_state_is_never_ahead_of_the_rows_before_it(tap: Tap, catalog: Message) -> None:
    run = tap.sync(catalog=catalog)
    highest: dict[str, str | int] = {}
    states = 0
    for message in run.messages:
        if message["type"] == "RECORD":
            column = "modifiedon" if message["stream"] == BY_DATE else "versionnumber"
            highest[message["stream"]] = message["record"][column]
        elif message["type"] == "STATE":
            states += 1
            for stream, bookmark in message["value"]["bookmarks"].items():
                if "replication_key_value" in bookmark:
                    assert bookmark["replication_key_value"] <= highest[stream]
    # Also in the middle of a table.
    assert states > len(SETS)


def test_rows_that_change_during_a_run_are_complete_after_the_next(
    changing_sandbox: Sandbox, tap_for: Callable[..., Tap]
) -> None:
    """A full pipe blocks the first run while rows change before and after its position."""
    service = changing_sandbox
    tap = tap_for(service, tables=["account"], fetch_size=50)
    catalog = tap.discover()
    ids = [
        row["accountid"] for row in sorted(service.rows("account"), key=lambda r: r["modifiedon"])
    ]
    with TemporaryDirectory() as folder:
        process = tap.start(Path(folder), catalog=catalog)
        if process.stdout is None:
            pytest.fail("no output")
        head = [process.stdout.readline() for _ in range(20)]
        asked = len(reads(service.requests()))
        for account in (ids[0], ids[10], ids[100], ids[-1]):
            service.update("account", account, {"name": "Changed meanwhile"})
        service.insert("account", [{"name": "Added meanwhile"}])
        service.insert("account", [{"name": "Added before", "modifiedon": "2019-01-01T00:00:00Z"}])
        output = b"".join(head) + process.stdout.read()
        _, log = process.communicate(timeout=60)
    first = Run(process.returncode, output.decode(), log.decode())
    assert first.status == 0, first.log
    # It was held up in the middle indeed.
    assert asked < len(reads(service.requests()))
    second = tap.sync(catalog=catalog, state=first.state)
    names = {
        row["accountid"]: row["name"] for run in (first, second) for row in run.records("account")
    }
    expected = {row["accountid"]: row["name"] for row in service.rows("account")}
    expected = {key: name for key, name in expected.items() if name != "Added before"}
    assert {key: names.get(key) for key in expected} == expected


def test_state_of_another_replication_key_causes_a_full_read(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    old = {"replication_key": "versionnumber", "replication_key_value": 4711}
    service.clear_requests()
    run = tap.sync(catalog=select(catalog, {BY_DATE: []}), state={"bookmarks": {BY_DATE: old}})
    assert len(run.records(BY_DATE)) == len(service.rows(BY_DATE))
    assert "$filter" not in reads(service.requests())[0]["query"]
    bookmark = run.state["bookmarks"][BY_DATE]
    assert bookmark["replication_key"] == "modifiedon"
    assert bookmark["replication_key_value"] == max(r["modifiedon"] for r in run.records(BY_DATE))


def test_failure_leaves_a_state_to_resume_from(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    """What was sent before the failure is not sent again, but for a little before it."""
    try:
        service.fault(SETS[BY_DATE], status=400, code="0x80040265", skip=16, count=None)
        failed = tap.run(catalog=catalog)
    finally:
        service.clear_faults()
    assert failed.refusal()
    bookmark = failed.state["bookmarks"][BY_DATE]["replication_key_value"]
    again = tap.sync(catalog=catalog, state=failed.state)
    sent_again = min(row["modifiedon"] for row in again.records(BY_DATE))
    assert look_back(bookmark) <= sent_again <= bookmark
    sent = {row[KEYS[BY_DATE]] for run in (failed, again) for row in run.records(BY_DATE)}
    assert sent == rows_of(service, BY_DATE)


def test_state_of_tables_that_are_not_selected_is_kept(tap: Tap, catalog: Message) -> None:
    other = {"replication_key": "modifiedon", "replication_key_value": "2024-05-06T07:08:09Z"}
    run = tap.sync(
        catalog=select(catalog, {BY_VERSION: []}), state={"bookmarks": {"contact": other}}
    )
    assert run.state["bookmarks"]["contact"] == other
