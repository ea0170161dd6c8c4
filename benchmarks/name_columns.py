"""Cost of `show_name_columns`: `.venv/bin/python -m benchmarks.name_columns`.

The sandbox's contacts have 42 columns. Six are lookups, and six are choices or yes/no columns,
which adds 18 name columns. Runs with and without name columns alternate.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.programs import EXPECTED_SECONDS, output
from benchmarks.running import say
from sandbox import client
from tools.measuring import Command, Measurement, watched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.client import Sandbox

ROWS = 100_000
ROUNDS = 7
COLUMNS = {"without name columns": False, "with name columns": True}


def _command(service: Sandbox, folder: Path, *, show: bool) -> Command:
    """The command that reads the contacts, with a catalog from a previous discovery."""
    config = folder / f"config-{show}.json"
    config.write_text(
        json.dumps({**service.settings, "tables": ["contact"], "show_name_columns": show})
    )
    tap = [sys.executable, "-m", "tap_dynamics365", "--config", config]
    catalog = folder / f"catalog-{show}.json"
    catalog.write_text(output(Command([*tap, "--discover"])))
    return Command([*tap, "--catalog", catalog])


def _tell(name: str, rounds: list[Measurement], bytes_sent: Mapping[bool, float]) -> None:
    """Print the medians of the rounds."""
    wall = median(each.wall for each in rounds)
    processor = median(each.processor for each in rounds)
    say(
        f"{name:<24}{ROWS / wall:>9,.0f} rows/s, per row: "
        f"{processor / ROWS * 1e6:>6.1f} us of processor time, "
        f"{bytes_sent[False]:>6,.0f} bytes, {bytes_sent[True]:>4,.0f} compressed"
    )


def main() -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory() as name,
        client.running(rows=2_000, sizes={"contact": ROWS}) as service,
    ):
        commands = {
            columns: _command(service, Path(name), show=show) for columns, show in COLUMNS.items()
        }
        measured: dict[str, list[Measurement]] = {columns: [] for columns in COLUMNS}
        sent: dict[str, dict[bool, float]] = {columns: {} for columns in COLUMNS}
        for compress in (True, False):
            service.configure(compress=compress)
            for columns, command in commands.items():
                # The first run also makes the sandbox serialize its rows.
                found = watched(command, EXPECTED_SECONDS, service)
                sent[columns][compress] = found.wire * 1e6 / ROWS
        for number in range(ROUNDS):
            for columns in [*COLUMNS][:: -1 if number % 2 else 1]:
                measured[columns].append(watched(commands[columns], EXPECTED_SECONDS, service))
    for columns, rounds in measured.items():
        _tell(columns, rounds, sent[columns])


if __name__ == "__main__":
    main()
