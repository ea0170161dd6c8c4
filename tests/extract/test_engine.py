"""Engine: parallel requests send the same messages; failures stay with their tables; signals."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.tap import Message, Run, Tap, entry, reads, select

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox

# Flattening needs the records as Python values: the SDK's way. It changes one table alone, which
# has a column that is an object.
FLATTENED = "bot"
SDK_WAY = {"flattening_enabled": True, "flattening_max_depth": 3}
PIPE = 65536


def by_stream(run: Run) -> dict[str, list[Message]]:
    """Gather the messages of each stream in their order, the time of extraction left out."""
    messages: dict[str, list[Message]] = {}
    for message in run.messages:
        message.pop("time_extracted", None)
        if "stream" in message:
            messages.setdefault(message["stream"], []).append(message)
    return messages


@pytest.fixture(scope="module")
def catalog(sandbox: Sandbox) -> Message:
    """What the tap discovers; the modes that other tests run in are taken in turn here."""
    return Tap(dict(sandbox.settings)).discover()


@pytest.fixture(scope="module")
def one_by_one(sandbox: Sandbox, catalog: Message) -> Run:
    """What a sync of all tables sends when requests go one after the other."""
    return Tap({**sandbox.settings, "max_parallel_requests": 1}).sync(catalog=catalog)


@pytest.mark.parametrize("fetch_size", [30, 5_000])
def test_engine_in_parallel_sends_the_same_messages(
    sandbox: Sandbox, catalog: Message, one_by_one: Run, fetch_size: int
) -> None:
    tap = Tap({**sandbox.settings, "fetch_size": fetch_size})
    run = tap.sync(catalog=catalog)
    assert by_stream(run) == by_stream(one_by_one)
    assert run.state == one_by_one.state


def test_engine_sends_what_the_sdk_would(
    sandbox: Sandbox, catalog: Message, one_by_one: Run
) -> None:
    run = Tap({**sandbox.settings, **SDK_WAY}).sync(catalog=catalog)
    expected, sent = by_stream(one_by_one), by_stream(run)
    assert {name for name in expected if sent[name] != expected[name]} == {FLATTENED}
    assert run.state == one_by_one.state
    # A number's digits are not seen by ==.
    assert digits(run) == digits(one_by_one)
    assert metrics(run) == metrics(one_by_one)


def digits(run: Run) -> list[str]:
    """List the numbers of all records as they are written, but for the table that is flattened."""
    lines = (line for line in run.output.split("\n") if '"type":"RECORD"' in line)
    messages = (json.loads(line, parse_float=str, parse_int=str) for line in lines)
    return sorted(str(m["record"]) for m in messages if m["stream"] != FLATTENED)


def metrics(run: Run) -> dict[str, int]:
    """Add up the metric record_count by stream."""
    counts: dict[str, int] = {}
    for line in run.log.splitlines():
        if "METRIC: " in line:
            point = json.loads(line.partition("METRIC: ")[2])
            if point["metric"] == "record_count":
                stream = point["tags"]["stream"]
                counts[stream] = counts.get(stream, 0) + point["value"]
    return counts


def test_versions_of_full_tables_are_sent_in_each_mode(sandbox: Sandbox, catalog: Message) -> None:
    settings = {**sandbox.settings, "emit_activate_version_messages": True}
    chosen = select(catalog, {"bulkdeletefailure": None})
    runs = [Tap({**settings, **way}).sync(catalog=chosen) for way in ({}, SDK_WAY)]
    for run in runs:
        (version,) = {m["version"] for m in run.messages if m["type"] == "ACTIVATE_VERSION"}
        records = [m for m in run.messages if m["type"] == "RECORD"]
        assert records
        assert {m["version"] for m in records} == {version}


def test_large_table_is_read_in_ranges(service: Sandbox, catalog: Message, one_by_one: Run) -> None:
    tap = Tap({**service.settings, "fetch_size": 20})
    run = tap.sync(catalog=select(catalog, {"contact": None}))
    assert run.records("contact") == one_by_one.records("contact")
    queries = [request["query"] for request in reads(service.requests(), "contacts")]
    ranged = [query for query in queries if " lt " in query.get("$filter", "")]
    assert len(ranged) > 3
    # Rows that share a second at a page's edge are asked for again, and there are many of them.
    assert len(queries) <= 2 * len(run.records("contact")) / 20


def test_large_table_whose_greatest_key_is_refused_is_read_without_ranges(
    service: Sandbox, catalog: Message, one_by_one: Run
) -> None:
    service.fault(r"\$top=1", count=None, status=400)
    run = Tap({**service.settings, "fetch_size": 20}).sync(
        catalog=select(catalog, {"contact": None})
    )
    assert run.records("contact") == one_by_one.records("contact")


def test_table_that_fails_leaves_the_others_complete(
    service: Sandbox, catalog: Message, one_by_one: Run
) -> None:
    service.fault("/contacts", count=None, skip=2, status=400)
    tap = Tap({**service.settings, "fetch_size": 100})
    run = tap.run(catalog=catalog)
    assert run.status == 1
    assert "contact" in run.logged("ERROR")[-1]
    assert "run again" in run.logged("ERROR")[-1]
    expected, sent = by_stream(one_by_one), by_stream(run)
    assert {name for name in expected if sent[name] != expected[name]} == {"contact"}
    rows = run.records("contact")
    assert rows
    bookmarks = run.state["bookmarks"]
    assert bookmarks["contact"]["replication_key_value"] == rows[-1]["modifiedon"]

    service.clear_faults()
    rest = tap.sync(catalog=catalog, state=run.state)
    ids = {row["contactid"] for row in [*rows, *rest.records("contact")]}
    assert ids == {row["contactid"] for row in one_by_one.records("contact")}


def test_429_pauses_all_requests(service: Sandbox, catalog: Message) -> None:
    seconds = 4
    service.fault("/accounts", throttle="requests", retry_after=str(seconds), skip=1)
    Tap({**service.settings, "fetch_size": 50}).sync(catalog=catalog)
    log = service.requests()
    refused = next(float(request["at"]) for request in log if request["status"] == 429)
    later = [float(request["at"]) - refused for request in log]
    # Requests in flight are served; no request is sent during the wait.
    assert not [at for at in later if seconds / 2 < at < seconds]
    assert [at for at in later if at >= seconds]


@pytest.mark.parametrize(
    "environment", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"]
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("parallel", [1, 8])
def test_signal_leaves_complete_lines_and_their_state(  # noqa: PLR0913, PLR0917 - what it varies
    sandbox: Sandbox,
    catalog: Message,
    tmp_path: Path,
    number: signal.Signals,
    environment: dict[str, str],
    parallel: int,
) -> None:
    settings = {**sandbox.settings, "fetch_size": 150, "max_parallel_requests": parallel}
    process = Tap(settings, environment).start(tmp_path, catalog=catalog)
    assert process.stdout
    # Its pipe is full: the signal arrives in the middle of a line.
    output = b""
    while len(output) < 3 * PIPE:
        output += os.read(process.stdout.fileno(), PIPE)
    process.send_signal(number)
    rest, log = process.communicate(timeout=60)
    run = Run(process.returncode, (output + rest).decode(), log.decode())
    assert run.status == 128 + number
    assert "Traceback" not in run.log
    assert run.output.endswith("}\n")
    assert run.messages[-1]["type"] == "STATE"
    for stream, bookmark in run.state["bookmarks"].items():
        if (rows := run.records(stream)) and (key := bookmark.get("replication_key")):
            assert rows[-1][key] == bookmark["replication_key_value"]


def test_target_that_ends_ends_the_tap(sandbox: Sandbox, catalog: Message, tmp_path: Path) -> None:
    with Tap(dict(sandbox.settings)).start(tmp_path, catalog=catalog) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(10_000)
        process.stdout.close()
        log = process.stderr.read().decode()
        assert process.wait(timeout=60) == 1
    assert "Traceback" not in log


def test_types_and_unusual_names_pass_in_each_mode(sandbox: Sandbox, catalog: Message) -> None:
    streams: dict[str, Any] = {"new_größe": None, "new_measurement": None, "new_project": None}
    chosen = select(catalog, streams)
    for stream in streams:
        columns = entry(chosen, stream)["schema"]["properties"]
        maps = {stream: {name: name for name in list(columns)[:1]}}
        mapped = Tap({**sandbox.settings, "stream_maps": maps}).sync(catalog=chosen)
        plain = Tap(dict(sandbox.settings)).sync(catalog=chosen)
        assert mapped.records(stream) == plain.records(stream)
