"""The whole way into PostgreSQL: who is the bottleneck?"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import organisation
from benchmarks.cases import DELAY, PARALLEL, SEQUENTIAL, TEXTBOOK, Name
from benchmarks.loads import Load
from benchmarks.measuring import Command, FailedError, Measurement
from benchmarks.programs import REPOSITORY, Place
from benchmarks.running import Runner, say, warm
from demo import postgres

if TYPE_CHECKING:
    from demo.postgres import Postgres
    from sandbox.client import Sandbox

TARGET = REPOSITORY / ".venv-bench-target-postgres" / "bin" / "target-postgres"
TABLES = 2
LOAD = Load(tuple(organisation.SMALL_TABLES[:TABLES]))


def _piped(command: Command, database: Postgres, folder: Path) -> tuple[Measurement, float]:
    """Run `tap | target-postgres`; gives what the tap took, and the target's processor time."""
    config = folder / "target.json"
    settings = {
        "sqlalchemy_url": database.sqlalchemy_url,
        "use_copy": True,
        "validate_records": False,
    }
    config.write_text(json.dumps(settings))
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        tap = subprocess.Popen(
            [str(argument) for argument in command.arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **command.environment},
        )
        target = subprocess.Popen(
            [TARGET, "--config", config], stdin=tap.stdout, stdout=errors, stderr=errors
        )
        if tap.stdout:
            tap.stdout.close()
        ended = {}
        for process in (tap, target):
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            ended[process.pid] = usage
        if tap.returncode or target.returncode:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines() or [
                "no reason given"
            ]
            raise FailedError(last[-1][-300:])
    wall = time.perf_counter() - begin
    used, other = ended[tap.pid], ended[target.pid]
    found = Measurement(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
    return found, other.ru_utime + other.ru_stime


def run(runner: Runner, service: Sandbox, rows: int) -> dict[str, float]:
    """Measure the pipeline with each of the taps.

    Args:
        runner: takes the results.
        service: what is read from.
        rows: how many there are together.

    Returns:
        The target's processor time, by the tap before it.
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
                took, target = _piped(command, database, place.folder)
            except FailedError as error:
                runner.results.left_out[Name.PIPELINE][program.name] = str(error)
                say(f"  {program.name:<32}left out: {error}")
                continue
            took = Measurement(took.wall, took.processor, took.memory, rows)
            runner.results.measured[Name.PIPELINE][program.name].append(took)
            found[program.name] = target
            say(
                f"  {program.name:<32}{took.wall:>7.1f} s, of processor: tap "
                f"{took.processor:.1f} s, target {target:.1f} s"
            )
    service.configure(page_delay_ms=0)
    return found
