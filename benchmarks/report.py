"""Report of the results: the goals, and a table for each case."""

from __future__ import annotations

import datetime as dt
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import export, spark
from benchmarks.cases import (
    CASES,
    CEILING,
    DELAY,
    DISCOVERY,
    PARALLEL,
    PEERS,
    SEQUENTIAL,
    TEXTBOOK,
    Case,
    Name,
)
from benchmarks.loads import Work
from benchmarks.running import Results  # noqa: TC001  - read by msgspec
from tools.measuring import FailedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.programs import Program
    from tools.measuring import Measurement

READ_AHEAD_MB = 256
COLUMNS = (
    "| | rows | s | rows/s | × | processor s | rows/processor s | × | memory (MB) "
    "| requests | network (MB) | rounds |"
)
PIPED = (
    f"`tap | target-postgres` with `use_copy`, without `validate_records`; {DELAY} ms per page, "
    "one round. The processor times show the bottleneck."
)
EXPORTED = (
    "`dynamics365 export` of a table with 40 columns, 8 requests in flight. `×` is the speed "
    "compared with the first row."
)
NO_DELAY = (
    "Without delay. The pipeline reads a smaller table, with the settings of `meltano.yml`, and "
    "its processor time is that of tap and target. That of PostgreSQL is in neither."
)
IN_SPARK = (
    f"{spark.ROWS:,} rows of {len(spark.COLUMNS)} columns, {DELAY} ms per page. One process reads "
    "with `tap_dynamics365.arrow`, and Spark with the data source `dynamics365` on the same "
    "machine. Each figure is the best of three reads, in Spark in a session that is warm. `×` is "
    "the speed compared with the first row."
)
# Share of processor time in the elapsed time from which the processor is the bottleneck.
BUSY = 0.9
LEGEND = (
    "`make bench` reproduces this page. Each program runs as its own process, in its own "
    "environment, against the same local Dynamics 365 on the same machine. Times, processor time "
    "(user and system) and peak memory are measured from outside and include the start. Programs "
    "alternate, round by round; the figures are medians. **Only ratios within a table carry over "
    "to other machines**, which are faster or slower and have a network in between.\n\n"
    "The service sends no gzip and speaks plain HTTP, for all programs alike, so that no program "
    "pays for compression or encryption. Hosts that are built into the other extractors are "
    "redirected in their process; none of their files is changed. The comparison is unfair in "
    "these points: dlt only extracts, and the loop over Microsoft's client only counts, so neither "
    "does any Singer or schema work. tap-ms-dynamics reads the whole `$metadata` at every sync, "
    "and Airbyte's source requests the first page twice and reads all columns, as in production. "
    "tap-ms-dynamics sorts by date alone, which the service warns of: it can miss rows that have "
    "the same date as the last row of a page. The raw ceiling fetches pages, splits them into rows "
    "without decoding them, and writes lines; it has no schema, selection, state or retries.\n\n"
    "`×` is the factor compared with this tap, per row (or for the whole case, if there are no "
    "rows): the time of a program divided by the time of this tap with 8 requests in flight, and "
    "its processor time divided by that of this tap with sequential requests."
)


@dataclass(frozen=True)
class Run:
    """A run of all cases.

    Attributes:
        rows: Rows of each table.
        minutes: Duration.
        piped: Processor time of target-postgres, by the name of the tap.
        spark: Rows per second of one process and of Spark, by program.
        real_document: Whether discovery read a real CSDL document.
        results: The measurements.
    """

    rows: dict[str, int]
    minutes: float
    piped: dict[str, float]
    spark: dict[str, float]
    real_document: bool
    results: Results


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.exists() else []:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def machine() -> str:
    """Return the date, and the machine on which the programs run."""
    today = dt.datetime.now(dt.UTC).date()
    return (
        f"{today}, {_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{platform.system()}"
    )


def versions(programs: Iterable[Program]) -> str:
    """Return the packages of programs with their versions.

    Args:
        programs: The programs.
    """
    found = []
    for program in programs:
        try:
            found.append(f"{program.package} {program.version}")
        except (FailedError, OSError):
            found.append(f"{program.package}: {program.missing}")
    return ", ".join(found)


def _a_row(taken: float, rows: int, work: Work) -> float:
    return taken / rows if rows and work is Work.READ else taken


def _ratio(value: float, base: float) -> str:
    return f"{value / base:.1f}" if base else "–"


def _left_out(case: Name, results: Results) -> list[str]:
    reasons = results.left_out.get(case, {})
    return [f"\n{name} is left out: {reason}." for name, reason in reasons.items()]


def _table(case: Case, results: Results) -> list[str]:
    """The table of a case, with a row for each program."""
    fast = results.typical(case.name, PARALLEL.name) or results.typical(case.name, SEQUENTIAL.name)
    plain = results.typical(case.name, SEQUENTIAL.name)
    lines = [
        COLUMNS,
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    work = case.load.work
    for program in case.programs:
        found = results.typical(case.name, program.name)
        if not (found and fast and plain):
            continue
        speeds = [f"{found.rows / value:,.0f}" for value in (found.wall, found.processor)]
        if work is not Work.READ:
            speeds = ["–", "–"]
        times = _ratio(_a_row(found.wall, found.rows, work), _a_row(fast.wall, fast.rows, work))
        work_done = _a_row(found.processor, found.rows, work)
        processor = _ratio(work_done, _a_row(plain.processor, plain.rows, work))
        rounds = len(results.measured[case.name][program.name])
        lines.append(
            f"| {program.name} | {found.rows:,} | {found.wall:.2f} | {speeds[0]} | {times} "
            f"| {found.processor:.2f} | {speeds[1]} | {processor} | {found.memory:.0f} "
            f"| {found.requests} | {found.wire:.1f} | {rounds} |"
        )
    return lines + _left_out(case.name, results)


def _pipeline(results: Results, piped: dict[str, float]) -> list[str]:
    lines = [
        PIPED,
        "",
        "| | rows | s | rows/s | processor s of the tap | of the target |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {program.name} | {found.rows:,} | {found.wall:.1f} | {found.rows / found.wall:,.0f} "
        f"| {found.processor:.1f} | {piped[program.name]:.1f} |"
        for program in (SEQUENTIAL, PARALLEL, TEXTBOOK)
        if (found := results.typical(Name.PIPELINE, program.name))
    ]
    return lines + _left_out(Name.PIPELINE, results)


def _export(results: Results) -> list[str]:
    """The tables of the export: into PostgreSQL, and into files."""
    lines = [EXPORTED]
    for case, (delay, groups) in export.CASES.items():
        lines += ["", f"With {delay} ms per page:" if delay else NO_DELAY]
        for programs in groups:
            base = results.typical(case, programs[0])
            lines += [
                "",
                "| | rows | s | rows/s | × | processor s | memory (MB) |",
                "|---|--:|--:|--:|--:|--:|--:|",
            ]
            for program in programs:
                if (found := results.typical(case, program)) is None:
                    continue
                speed = found.rows / found.wall
                times = _ratio(speed, base.rows / base.wall) if base else "–"
                lines.append(
                    f"| {program} | {found.rows:,} | {found.wall:.1f} | {speed:,.0f} | {times} "
                    f"| {found.processor:.1f} | {found.memory:.0f} |"
                )
        lines += _left_out(case, results)
    return lines


def _in_spark(run: Run) -> list[str]:
    """The table of Spark beside one process."""
    lines = [IN_SPARK, "", "| | rows/s | × |", "|---|--:|--:|"]
    base = next(iter(run.spark.values()), 0.0)
    lines += [
        f"| {program} | {speed:,.0f} | {speed / base:.2f} |" for program, speed in run.spark.items()
    ]
    return lines + _left_out(Name.SPARK, run.results)


def _goals(results: Results) -> list[str]:
    """The goals and the results."""

    def found(case: Name, program: Program) -> Measurement | None:
        return results.typical(case, program.name)

    def times(case: Name, one: Program, other: Program, what: str) -> float | None:
        """The factor between the rows per second of two programs."""
        mine, theirs = found(case, one), found(case, other)
        if not (mine and theirs and mine.rows and theirs.rows):
            return None
        speed = mine.rows / float(getattr(mine, what))
        return speed / (theirs.rows / float(getattr(theirs, what)))

    wanted: list[tuple[str, float | None, float]] = [
        (
            "40 columns, sequential: rows/processor s, compared with the textbook tap",
            times(Name.TYPICAL, SEQUENTIAL, TEXTBOOK, "processor"),
            8,
        ),
        (
            "40 columns, sequential: rows/processor s, compared with the raw ceiling",
            times(Name.TYPICAL, SEQUENTIAL, CEILING, "processor"),
            0.5,
        ),
    ]
    for case in (Name.MANY_DELAYED, Name.LARGE_DELAYED):
        wanted += [
            (
                f"{case}, 8 in flight: speed, compared with sequential requests",
                times(case, PARALLEL, SEQUENTIAL, "wall"),
                6,
            ),
            (
                f"{case}, 8 in flight: speed, compared with the textbook tap",
                times(case, PARALLEL, TEXTBOOK, "wall"),
                12,
            ),
        ]
    lines = ["| goal | target | result | |", "|---|--:|--:|---|"]
    for text, value, least in wanted:
        if value is not None:
            verdict = "reached" if value >= least else "**missed**"
            lines.append(f"| {text} | ≥ {least} × | {value:.2f} × | {verdict} |")
    if (nothing := found(Name.NOTHING_NEW, SEQUENTIAL)) is not None:
        tables = len(next(c for c in CASES if c.name is Name.NOTHING_NEW).load.tables)
        verdict = "reached" if nothing.requests <= tables + 1 else "**missed**"
        lines.append(
            f"| no changes: one request per table, and one to sign in | ≤ {tables + 1} "
            f"| {nothing.requests} | {verdict} |"
        )
    memory = [
        each.memory
        for programs in results.measured.values()
        for name, rounds in programs.items()
        if name in {SEQUENTIAL.name, PARALLEL.name}
        for each in rounds
    ]
    if memory:
        most = 200 + READ_AHEAD_MB
        verdict = "reached" if max(memory) < most else "**missed**"
        lines.append(
            f"| memory, peak of all runs | < {most} MB | {max(memory):.0f} MB | {verdict} |"
        )
    return lines + _busy(results) + _slower(results)


def _busy(results: Results) -> list[str]:
    """The cases in which the processor is the bottleneck of this tap."""
    cases = [
        f"{case} ({found.processor:.1f} of {found.wall:.1f} s)"
        for case in (Name.MANY_DELAYED, Name.LARGE_DELAYED)
        if (found := results.typical(case, PARALLEL.name)) and found.processor > BUSY * found.wall
    ]
    if not cases:
        return []
    busy = (
        "With 8 requests in flight, the processor is the bottleneck of this tap, not the service: "
        f"{', '.join(cases)}. One processor decodes, so a faster processor helps most."
    )
    return ["", busy]


def _slower(results: Results) -> list[str]:
    """The cases in which another extractor is faster, with the reason."""
    lines: list[str] = []
    are_compared = False
    for case in (*CASES, DISCOVERY):
        mine = [results.typical(case.name, p.name) for p in (SEQUENTIAL, PARALLEL)]
        own = [each for each in mine if each]
        for peer in PEERS:
            theirs = results.typical(case.name, peer.name)
            if not (own and theirs) or case.reason_against(peer):
                continue
            are_compared = True
            work = case.load.work
            best = min(_a_row(each.wall, each.rows, work) for each in own)
            if _a_row(theirs.wall, theirs.rows, work) < best:
                lines.append(f"- {case.name}: {peer.name} is faster. {_reason(case)}")
    if not are_compared:
        return []
    if not lines:
        return ["", "This tap is faster than the other extractors in every case."]
    return ["", "Cases in which another extractor is faster:", "", *lines]


def _reason(case: Case) -> str:
    if case.load.work is Work.READ:
        return (
            "It does no Singer work and does not import the SDK. Importing and setting up the SDK "
            "take a large part of such a short run."
        )
    return (
        "It does not import the SDK. Importing and setting up the SDK take most of such a "
        "short run."
    )


def write(run: Run) -> str:
    """Write the report.

    Args:
        run: The run.
    """
    results = run.results
    large, typical = run.rows["bench_large"], run.rows["bench_typical"]
    lines = [
        "# Benchmarks",
        "",
        (f"{machine()}; {run.minutes:.0f} min for all cases."),
        "",
        f"Versions: {versions((SEQUENTIAL, TEXTBOOK, *PEERS))}.",
        "",
        LEGEND,
        "",
        "![Rows per second, by case and program](results.png)",
        "",
        "## Goals",
        "",
        *_goals(results),
    ]
    for case in (*CASES, DISCOVERY):
        if case.name not in {*results.measured, *results.left_out}:
            continue
        note = case.note
        if case.load.tables == ("bench_large",):
            note = f"{note} The table has {large:,} rows; slow programs read one of {typical:,}."
        if case is DISCOVERY:
            note = (
                "The `$metadata` of a real environment with 330 tables."
                if run.real_document
                else "330 tables of 60 columns."
            )
        lines += ["", f"## {case.name[0].upper()}{case.name[1:]}", "", note.strip(), ""]
        lines += _table(case, results)
    if Name.PIPELINE in {*results.measured, *results.left_out}:
        lines += ["", "## Pipeline into PostgreSQL", "", *_pipeline(results, run.piped)]
    if export.CASES.keys() & {*results.measured, *results.left_out}:
        lines += ["", "## Export", "", *_export(results)]
    if run.spark or Name.SPARK in results.left_out:
        lines += ["", "## Spark", "", *_in_spark(run)]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"
