"""State writer: few STATE messages, but soon enough."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.singer.state_writer import RECORDS_TO_STATE, SECONDS, PacedStateWriter
from tap_dynamics365.singer.writer import LineWriter
from tests.servers.scripted import answer, serving
from tests.tap import WAYS, Message, Tap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.client import Sandbox

TABLES, ROWS = {"side-by-side": 800, "as-values": 200}, 2
TEXT = "x" * 100
COLUMNS = {
    "id": {"type": ["string"]},
    "text": {"type": ["string", "null"]},
    "modifiedon": {"type": ["string", "null"], "format": "date-time"},
}


def many_tables(count: int) -> Message:
    """A catalog of many tables."""
    return {
        "streams": [
            {
                "tap_stream_id": f"new_table_of_its_own_{number}",
                "table_name": f"new_table_of_its_own_{number}s",
                "key_properties": ["id"],
                "replication_method": "INCREMENTAL",
                "replication_key": "modifiedon",
                "schema": {"type": "object", "properties": COLUMNS},
                "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}],
            }
            for number in range(count)
        ]
    }


def few_rows(_: bytes) -> bytes:
    """Answer with two rows, whatever is asked for."""
    rows = [
        {"id": str(row), "text": TEXT, "modifiedon": f"2026-01-01T00:00:0{row}Z"}
        for row in range(ROWS)
    ]
    return answer(json.dumps({"value": rows}).encode())


@pytest.mark.parametrize("way", TABLES)
def test_states_of_many_small_tables_take_a_tenth_of_their_records(way: str) -> None:
    count, began = TABLES[way], time.monotonic()
    with serving(few_rows) as server:
        settings = {"service_url": f"{server.url}/api/data/v9.2/", "access_token": "invented"}
        run = Tap({**settings, **WAYS[way]}).sync(catalog=many_tables(count))
    assert sum(run.counts.values()) == count * ROWS
    lines = run.output.splitlines()
    states = [len(line) for line in lines if '"type":"STATE"' in line]
    records = sum(len(line) for line in lines if '"type":"RECORD"' in line)
    assert records < 1_000_000
    # Beside those for which there were records enough: the first, the last, and one in a while.
    more = 2 + (time.monotonic() - began) / SECONDS
    assert sum(states) <= records / RECORDS_TO_STATE + more * max(states)
    assert len(states) > 2
    bookmarks = run.state["bookmarks"]
    assert len(bookmarks) == count
    assert all("replication_key_value" in bookmark for bookmark in bookmarks.values())
    assert_states_follow_records(run.messages)


def assert_states_follow_records(messages: list[Message]) -> None:
    """No state speaks of a row that was not sent before it."""
    sent: dict[str, str] = {}
    for message in messages:
        if message["type"] == "RECORD":
            sent[message["stream"]] = message["record"]["modifiedon"]
        elif message["type"] == "STATE":
            for stream, bookmark in message["value"]["bookmarks"].items():
                assert bookmark.get("replication_key_value", "") <= sent.get(stream, "")


def written(capture: pytest.CaptureFixture[str]) -> list[Mapping[str, Any]]:
    """The states that were written since the last look."""
    return [json.loads(line)["value"] for line in capture.readouterr().out.splitlines()]


def test_state_that_is_pending_is_written_when_it_is_due(
    capfd: pytest.CaptureFixture[str],
) -> None:
    states = PacedStateWriter(LineWriter(), seconds=0.05)
    state: dict[str, Any] = {"bookmarks": {}}
    assert states.seconds_left is None
    states.write_now(state)
    states.write_state(state | {"bookmarks": {"account": {}}})
    assert written(capfd) == [{"bookmarks": {}}]
    left = states.seconds_left
    assert left is not None
    time.sleep(left)
    states.write_if_due()
    assert written(capfd) == [{"bookmarks": {"account": {}}}]
    assert states.seconds_left is None
    states.write_if_due()
    assert not written(capfd)


def test_state_is_written_after_enough_records(capfd: pytest.CaptureFixture[str]) -> None:
    writer = LineWriter()
    states = PacedStateWriter(writer, seconds=600)
    state: dict[str, Any] = {"bookmarks": {"account": {"version": 1}}}
    states.write_now(state)
    size = len(capfd.readouterr().out)
    record = b'{"type":"RECORD"}\n'
    count = 0
    while writer.record_bytes + len(record) < RECORDS_TO_STATE * size:
        writer.write_records(record)
        state["bookmarks"]["account"]["version"] = count
        states.write_state(state)
        count += 1
    assert '"STATE"' not in capfd.readouterr().out
    writer.write_records(record)
    states.write_state(state)
    assert capfd.readouterr().out.endswith(f'{{"version":{count - 1}}}}}}}}}\n')


def test_state_that_has_not_changed_is_written_again_after_records_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    writer = LineWriter()
    states = PacedStateWriter(writer)
    state: dict[str, Any] = {"bookmarks": {"account": {}}}
    for _ in range(2):
        states.write_now(state)
    assert written(capfd) == [state]
    writer.write_records(b'{"type":"RECORD"}\n')
    capfd.readouterr()
    for _ in range(2):
        states.write_now(state)
    assert written(capfd) == [state]


def test_run_without_changes_ends_with_a_state(sandbox: Sandbox) -> None:
    """Some targets forget a state when a record follows it."""
    tap = Tap({**sandbox.settings, "tables": ["account", "contact"]})
    first = tap.sync()
    second = tap.sync(state=first.state)
    assert second.counts == {"account": 1, "contact": 1}
    assert second.messages[-1] == {"type": "STATE", "value": first.state}
