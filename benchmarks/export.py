"""Export: rows a second and processor time of each destination, beside those of the pipeline."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import pipeline
from benchmarks.cases import DELAY, PARALLEL, Name
from benchmarks.loads import Load
from benchmarks.programs import Place
from benchmarks.running import LONGEST_RUN, Runner, say, warm
from tools import postgres
from tools.measuring import FailedError, reporting, run, spent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.client import Sandbox
    from tools.measuring import Measurement
    from tools.postgres import Postgres

LOAD, LIGHTER = Load(("bench_large",)), Load(("bench_typical",))
LINES, PIPELINE = "this tap, Singer lines", "tap, target-postgres"
#: The programs in the order of the report. Those into PostgreSQL are compared with the pipeline,
#: those into files with the lines of the tap.
TO_POSTGRESQL = (PIPELINE, "export to PostgreSQL")
TO_FILES = (LINES, "export to Parquet", "export to Delta", "export to DuckDB")
#: The cases with the delay of each page in milliseconds, and their tables in the report.
CASES = {
    Name.EXPORT: (0, (TO_POSTGRESQL, TO_FILES)),
    Name.EXPORT_DELAYED: (DELAY, (TO_FILES,)),
}
# As meltano.yml sets target-postgres. With `use_copy`, it rounds numbers.
TARGET = {"load_method": "upsert", "use_copy": False, "sanitize_null_text_characters": True}


def _pipeline(place: Place, server: Postgres) -> Measurement:
    """Measure the pipeline; the processor time is that of tap and target."""
    if not pipeline.TARGET.exists():
        msg = "not installed"
        raise FailedError(msg)
    command = PARALLEL.command(LIGHTER, place)
    database = server.create(f"piped_{place.folder.name}")
    tap, target = pipeline.piped(command, database, place.folder, TARGET)
    return replace(tap, processor=tap.processor + target)


def _export(place: Place, server: Postgres, kind: str) -> Measurement:
    """Measure an export."""
    folder = place.folder / kind
    folder.mkdir()
    match kind:
        case "PostgreSQL":
            to = server.create(f"exported_{place.folder.name}").dsn
        case "Delta":
            to = f"delta:{folder}"
        case "DuckDB":
            to = f"duckdb:{folder / 'rows.duckdb'}"
        case _:
            to = str(folder)
    settings = {**place.service.settings, "max_parallel_requests": PARALLEL.parallel}
    config = place.file("export.json", settings)
    program, report = PARALLEL.executable("dynamics365"), folder.with_suffix(".used")
    begin = time.perf_counter()
    done = subprocess.run(
        reporting(report, [program, "export", "--config", config, *LOAD.tables, "--to", to]),
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_RUN,
    )
    found = spent(report, time.perf_counter() - begin)
    if found is None:
        raise FailedError((done.stderr.strip().splitlines() or ["no reason given"])[-1][-300:])
    return found


def _measured(program: str, place: Place, server: Postgres) -> Measurement:
    if program == LINES:
        return run(PARALLEL.command(LOAD, place), LONGEST_RUN)
    if program == PIPELINE:
        return _pipeline(place, server)
    return _export(place, server, program.rpartition(" ")[2])


def measure(runner: Runner, service: Sandbox, sizes: Mapping[str, int], only: str = "") -> None:
    """Measure all programs, one after the other, in rounds.

    Args:
        runner: Collects the results.
        service: The service to read from.
        sizes: Number of rows of each table.
        only: Measures only cases whose names contain this.
    """
    cases = {name: case for name, case in CASES.items() if only in name}
    if not cases:
        return
    service.configure(compress=False, page_delay_ms=0)
    for load in (LOAD, LIGHTER):
        warm(service, load)
    with postgres.running() as server, tempfile.TemporaryDirectory() as name:
        for case, (delay, groups) in cases.items():
            say(f"\n{case}")
            service.configure(page_delay_ms=delay)
            for number in range(runner.rounds):
                place = Place(service, Path(name) / f"{delay}_{number}")
                place.folder.mkdir()
                for program in itertools.chain(*groups):
                    _measure(runner, case, program, place=place, server=server, sizes=sizes)
    service.configure(page_delay_ms=0)


def _measure(  # noqa: PLR0913 - what a measurement depends on
    runner: Runner,
    case: Name,
    program: str,
    *,
    place: Place,
    server: Postgres,
    sizes: Mapping[str, int],
) -> None:
    """Measure a program once."""
    (table,) = (LIGHTER if program == PIPELINE else LOAD).tables
    rows = sizes[table]
    try:
        found = replace(_measured(program, place, server), rows=rows)
    except FailedError as error:
        runner.results.left_out[case][program] = str(error)
        return
    runner.results.measured[case][program].append(found)
    say(
        f"  {program:<32}{found.wall:>7.1f} s, {rows / found.wall:>9,.0f} rows/s, "
        f"processor time {found.processor:.1f} s"
    )
