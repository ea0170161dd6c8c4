"""Cost of many tables: `.venv/bin/python -m benchmarks.large_catalog`.

The organisation has 900 tables of 200 columns. Discovery describes all of them; a run reads two,
with the catalog of all tables and with that of the two.
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
from tools import organisation
from tools.measuring import Command, run

if TYPE_CHECKING:
    from sandbox.client import Sandbox

TABLES = [f"bench_table{number:03d}" for number in range(900)]
COLUMNS = 200
CHOSEN = TABLES[:2]
ROUNDS = 5


def _commands(service: Sandbox, folder: Path) -> dict[str, Command]:
    """Return the commands to measure, after the first discovery."""
    config = folder / "config.json"
    config.write_text(json.dumps(service.settings))
    tap = [sys.executable, "-m", "tap_dynamics365", "--config", config]
    # The sandbox makes its definitions when they are first asked for.
    text = output(Command([*tap, "--discover"]))
    say(f"The catalog has {len(text) / 1e6:.0f} MB.")
    streams = json.loads(text)["streams"]
    for stream in streams:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] in CHOSEN
    commands = {"discovery": Command([*tap, "--discover"])}
    for count in (len(CHOSEN), len(TABLES)):
        catalog = folder / f"{count}.json"
        catalog.write_text(json.dumps({"streams": streams[:count]}, indent=2))
        commands[f"2 tables of a catalog of {count}"] = Command([*tap, "--catalog", catalog])
    return commands


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        csdl = organisation.write(folder / "csdl.xml", dict.fromkeys(TABLES, COLUMNS))
        with client.running(rows=0, csdl=csdl, sizes=dict.fromkeys(CHOSEN, 100)) as service:
            for what, command in _commands(service, folder).items():
                rounds = [run(command, EXPECTED_SECONDS) for _ in range(ROUNDS)]
                say(
                    f"{what:<28}{median(each.wall for each in rounds):>6.1f} s, "
                    f"{median(each.processor for each in rounds):>5.1f} s of processor time, "
                    f"{max(each.memory for each in rounds):>5,.0f} MB"
                )


if __name__ == "__main__":
    main()
