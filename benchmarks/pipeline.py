"""Pipeline into PostgreSQL: the processor time of tap and target."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import tables
from benchmarks.cases import DELAY, PARALLEL, SEQUENTIAL, TEXTBOOK, Name
from benchmarks.loads import Load
from benchmarks.programs import Place
from benchmarks.running import Runner, say, warm
from tools import postgres
from tools.measuring import FailedError, reporting, spent
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.client import Sandbox
    from tools.measuring import Command, Measurement
    from tools.postgres import Postgres

TARGET = REPOSITORY / ".venv-bench-target-postgres" / "bin" / "target-postgres"
TABLES = 2
LOAD = Load(tuple(tables.SMALL_TABLES[:TABLES]))


def piped(
    command: Command, database: Postgres, folder: Path, settings: Mapping[str, object]
) -> tuple[Measurement, float]:
    """Run `tap | target-postgres`.

    Args:
        command: The tap.
        database: The database to load into.
        folder: A folder for files.
        settings: Settings of the target.

    Returns:
        The tap's measurement, and the target's processor time in seconds.

    Raises:
        FailedError: The tap or the target failed.
    """
    config = folder / "target.json"
    given = {"sqlalchemy_url": database.sqlalchemy_url, "validate_records": False, **settings}
    config.write_text(json.dumps(given))
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        used = [folder / "tap.used", folder / "target.used"]
        tap = subprocess.Popen(
            reporting(used[0], command.arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **command.environment},
        )
        target = subprocess.Popen(
            reporting(used[1], [TARGET, "--config", config]),
            stdin=tap.stdout,
            stdout=errors,
            stderr=errors,
        )
        if tap.stdout:
            tap.stdout.close()
        target.wait()
        tap.wait()
        wall = time.perf_counter() - begin
        found, other = (spent(report, wall) for report in used)
        if not (found and other):
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines() or [
                "no reason given"
            ]
            raise FailedError(last[-1][-300:])
    return found, other.processor


def run(runner: Runner, service: Sandbox, rows: int) -> dict[str, float]:
    """Measure the pipeline with each of the taps.

    Args:
        runner: Collects the results.
        service: The service to read from.
        rows: Number of rows in all tables.

    Returns:
        The target's processor time, by the name of the tap.
    """
    say(f"\n{Name.PIPELINE}")
    found: dict[str, float] = {}
    if not TARGET.exists():
        runner.results.left_out[Name.PIPELINE]["target-postgres"] = "not installed"
        return found
    warm(service, LOAD)
    service.configure(compress=False, page_delay_ms=DELAY)
    with postgres.running() as server, tempfile.TemporaryDirectory() as name:
        for number, program in enumerate((SEQUENTIAL, PARALLEL, TEXTBOOK)):
            place = Place(service, Path(name) / str(number))
            place.folder.mkdir()
            try:
                command = program.command(LOAD, place)
                database = server.create(f"bench{number}")
                took, target = piped(command, database, place.folder, {"use_copy": True})
            except FailedError as error:
                runner.results.left_out[Name.PIPELINE][program.name] = str(error)
                say(f"  {program.name:<32}left out: {error}")
                continue
            took = replace(took, rows=rows)
            runner.results.measured[Name.PIPELINE][program.name].append(took)
            found[program.name] = target
            say(
                f"  {program.name:<32}{took.wall:>7.1f} s, processor time: tap "
                f"{took.processor:.1f} s, target {target:.1f} s"
            )
    service.configure(page_delay_ms=0)
    return found
