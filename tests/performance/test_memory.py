"""Memory of a run: independent of the number of rows."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox import client
from tests.tap import SECONDS
from tools import organisation
from tools.measuring import Command, run
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox

SOME, MANY = 20_000, 120_000
# Megabytes that a run may take, and how much more for the larger table. Its rows would take about
# 130 MB.
MOST, MORE = 200, 40


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A Dynamics 365 with tables of forty columns."""
    tables = {"bench_typical": SOME, "bench_large": MANY}
    csdl = tmp_path_factory.mktemp("wide") / "csdl.xml"
    organisation.write(csdl, dict.fromkeys(tables, organisation.TYPICAL))
    with client.running(rows=0, csdl=csdl, sizes=tables) as running:
        yield running


def memory(service: Sandbox, folder: Path, table: str, rows: int) -> float:
    """Read a table, and return the maximum memory of the run in megabytes."""
    config = folder / "config.json"
    settings = {**service.settings, "tables": [table], "max_parallel_requests": 1}
    config.write_text(json.dumps(settings))
    tap = (sys.executable, "-m", "tap_dynamics365", "--config", config)
    found = run(Command(tap, {"PYTHONPATH": str(REPOSITORY)}), SECONDS)
    assert found.rows == rows
    return found.memory


def test_memory_of_a_table_with_more_rows_does_not_grow(wide: Sandbox, tmp_path: Path) -> None:
    some = memory(wide, tmp_path, "bench_typical", SOME)
    many = memory(wide, tmp_path, "bench_large", MANY)
    assert many < MOST
    assert many < some + MORE
