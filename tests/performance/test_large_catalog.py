"""Catalogs of hundreds of tables with hundreds of columns: requests and memory."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox import client
from tests.tap import SECONDS, Run, Tap, select
from tools import organisation
from tools.measuring import Command, run
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox

# More columns than one response may describe.
TABLES = [f"bench_table{number:03d}" for number in range(150)]
COLUMNS = 420
CHOSEN = TABLES[:2]
# Megabytes that discovery may take, and how much more a run with the catalog of all tables may take
# than a run with that of two. All definitions together would take 210 MB, and the columns of all
# tables 150 MB.
DISCOVERY, MORE = 185, 35


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A Dynamics 365 with 150 tables of 420 columns."""
    csdl = tmp_path_factory.mktemp("large") / "csdl.xml"
    organisation.write(csdl, dict.fromkeys(TABLES, COLUMNS))
    with client.running(rows=0, csdl=csdl, sizes=dict.fromkeys(CHOSEN, 50)) as running:
        yield running


@pytest.fixture(scope="module")
def discovery(large: Sandbox) -> Run:
    """A discovery of all tables, the first one."""
    return Tap(large.settings).run("--discover")


def memory(*arguments: object) -> float:
    """Run the tap in a process of its own, and return its maximum memory in megabytes."""
    tap = (sys.executable, "-m", "tap_dynamics365", *arguments)
    return run(Command(tap, {"PYTHONPATH": str(REPOSITORY)}), SECONDS).memory


def test_definitions_of_many_columns_come_in_several_requests(
    large: Sandbox, discovery: Run
) -> None:
    paths = [request["path"] for request in large.requests()]
    assert sum("RetrieveMetadataChanges" in path for path in paths) == 2, discovery.log
    streams = json.loads(discovery.output)["streams"]
    assert [stream["tap_stream_id"] for stream in streams] == TABLES
    for stream in streams:
        columns = stream["schema"]["properties"].values()
        assert len(columns) == COLUMNS
        assert all(column.get("title") for column in columns)


def test_discovery_that_fails_in_the_middle_writes_nothing(large: Sandbox) -> None:
    large.fault("RetrieveMetadataChanges", status=500, skip=1, count=None)
    try:
        done = Tap({**large.settings, "ws_retry_count": 0}).run("--discover")
    finally:
        large.clear_faults()
    assert (done.status, done.output) == (1, "")


def test_memory_of_discovery_does_not_hold_all_definitions(large: Sandbox, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(large.settings))
    used = memory("--config", config, "--discover")
    sys.stdout.write(f"--discover of {len(TABLES)} tables: {used:.0f} MB\n")
    assert used < DISCOVERY


def test_memory_of_a_run_does_not_hold_tables_that_are_not_selected(
    large: Sandbox, discovery: Run, tmp_path: Path
) -> None:
    all_streams = json.loads(discovery.output)["streams"]
    config = tmp_path / "config.json"
    config.write_text(json.dumps(large.settings))
    used = []
    for streams in (all_streams[:2], all_streams):
        path = tmp_path / "catalog.json"
        path.write_text(json.dumps(select({"streams": streams}, dict.fromkeys(CHOSEN))))
        used.append(memory("--config", config, "--catalog", path))
    sys.stdout.write(f"Runs of 2 of 2 and of {len(TABLES)} tables: {used} MB\n")
    assert used[1] < used[0] + MORE
