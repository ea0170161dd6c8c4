"""Benchmark of Finance & Operations: speed, and whether every row comes once.

`make bench SERVICE=finance-operations` runs it. It compares this tap with dlt's generic REST source
on the same entity set of several companies, with a delay for each response.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.competitors import Dlt
from benchmarks.loads import Load
from benchmarks.programs import Place, Program, ThisTap, output
from benchmarks.report import machine, versions
from benchmarks.running import LONGEST_RUN, Results, say
from sandbox import finance_client
from tools.measuring import Command, FailedError, Measurement, watched
from tools.system import require_posix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sandbox.finance_client import FinanceSandbox

TABLE = "CustomersV3"
KEY = ("dataAreaId", "CustomerAccount")
ALL_COMPANIES = {"cross-company": "true"}
LOAD = Load((TABLE,))
# Rows of the entity set, of which a tenth belongs to a company that the user may not read.
SIZES = {"full": 200_000, "small": 50_000}
Keys = Counter[tuple[str, ...]]


class FinanceTap(ThisTap):
    """The tap of this project.

    Args:
        parallel: Maximum number of requests in flight.
        fetch_size: Rows to request per page.
    """

    def __init__(self, parallel: int, fetch_size: int = 5_000) -> None:
        super().__init__(parallel)
        self.fetch_size = fetch_size

    def command(self, load: Load, place: Place) -> Command:
        """The command, with a catalog that it discovered."""
        settings = {
            **place.service.settings,
            "cross_company": True,
            "tables": load.tables,
            "fetch_size": self.fetch_size,
            "max_parallel_requests": self.parallel,
        }
        base = [self.executable("tap-dynamics365"), "--config", place.file("config.json", settings)]
        catalog = json.loads(output(Command([*base, "--discover"])))
        return Command([*base, "--catalog", place.file("catalog.json", catalog)])

    def keys(self, place: Place) -> Keys:
        """The keys of the rows that it sends."""
        messages = map(json.loads, output(self.command(LOAD, place)).splitlines())
        records = (message["record"] for message in messages if message["type"] == "RECORD")
        return Counter(tuple(record[column] for column in KEY) for record in records)


class FinanceDlt(Dlt):
    """dlt's generic REST source, which follows the next links.

    Args:
        is_sorted: Whether its requests sort by the key.
    """

    def __init__(self, *, is_sorted: bool) -> None:
        order = {"$orderby": ",".join(f"{column} asc" for column in KEY)} if is_sorted else {}
        self.query = {**ALL_COMPANIES, **order}
        self.name = f"dlt rest_api, {'sorted by the key' if is_sorted else 'not sorted'}"

    def command(self, load: Load, place: Place) -> Command:
        """The command that extracts the tables of a load."""
        return self._command(load, place)

    def keys(self, place: Place) -> Keys:
        """The keys of the rows that it extracts."""
        lines = output(self._command(LOAD, place, print_keys=KEY)).splitlines()
        return Counter(tuple(json.loads(line)) for line in lines if line.startswith("["))

    def _command(self, load: Load, place: Place, **options: object) -> Command:
        tables = [{"name": name, "set": name, "query": self.query} for name in load.tables]
        given = place.file("given.json", {**place.settings, "tables": tables, **options})
        return self.loop(given, place)


@dataclass(frozen=True)
class FinanceCase:
    """A comparison of programs.

    Attributes:
        name: Its heading in the report.
        programs: The programs that are compared; the first one is what the others are compared to.
        switches: Switches of the sandbox.
    """

    name: str
    programs: tuple[FinanceTap | FinanceDlt, ...]
    switches: Mapping[str, Any] = field(default_factory=dict)


TAPS = (FinanceTap(4), FinanceTap(1))
OTHERS = (FinanceDlt(is_sorted=False), FinanceDlt(is_sorted=True))
SMALL_PAGES = (FinanceTap(4, 1_000), FinanceTap(1, 1_000))
CASES = (
    FinanceCase("200 ms per page", (*TAPS, *OTHERS), {"page_delay_ms": 200}),
    FinanceCase("No delay", (*TAPS, *OTHERS)),
    FinanceCase(
        "Pages of 1,000 rows, which the service honours, 1 s per page",
        SMALL_PAGES,
        {"page_delay_ms": 1_000, "honours_page_size": True},
    ),
    FinanceCase(
        "Pages of 1,000 rows, which the service honours, 200 ms per page",
        SMALL_PAGES,
        {"page_delay_ms": 200, "honours_page_size": True},
    ),
    FinanceCase(
        "Pages of 1,000 rows, which the service ignores, 200 ms per page",
        SMALL_PAGES,
        {"page_delay_ms": 200},
    ),
)


@dataclass(frozen=True)
class Completeness:
    """How the rows of a program differ from those of the service.

    Attributes:
        lost: Number of rows that did not come.
        doubled: Number of rows that came again.
    """

    lost: int
    doubled: int

    @classmethod
    def of(cls, expected: Iterable[tuple[str, ...]], found: Keys) -> Completeness:
        """Compare the keys of rows.

        Args:
            expected: Those of the service.
            found: Those of a program, with how often they came.
        """
        return cls(lost=len({*expected} - found.keys()), doubled=found.total() - len(found))


def measured(
    case: FinanceCase, service: FinanceSandbox, rounds: int, expected: Iterable[tuple[str, ...]]
) -> tuple[Results, dict[str, Completeness]]:
    """Run the programs of a case in rounds, and once more for the keys of their rows."""
    results, completeness = Results(), {}
    service.configure(compress=False, **case.switches)
    with tempfile.TemporaryDirectory() as name:
        for number in range(rounds):
            for index, program in enumerate(case.programs):
                place = Place(service, Path(name) / f"{number}-{index}")
                place.folder.mkdir()
                if reason := program.missing:
                    results.left_out[case.name][program.name] = reason
                    continue
                try:
                    program.prepare(LOAD, place)
                    assert place.command is not None  # noqa: S101  - `prepare` sets it
                    found = watched(place.command, LONGEST_RUN, service)
                    if program.name not in completeness:
                        keys = program.keys(place)
                        completeness[program.name] = Completeness.of(expected, keys)
                except FailedError as error:
                    results.left_out[case.name][program.name] = str(error)
                    continue
                results.measured[case.name][program.name].append(found)
                say(f"  {program.name:<34}{found.rows:>8,} rows {found.wall:>6.1f} s")
    return results, completeness


def table(
    case: FinanceCase, results: Results, completeness: Mapping[str, Completeness]
) -> list[str]:
    """Return the table of a case in Markdown."""
    lines = [
        "| | rows | lost | doubled | s | rows/s | × | processor s | × | requests |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    base: Measurement | None = None
    for program in case.programs:
        found = results.typical(case.name, program.name)
        if found is None:
            continue
        base = base or found
        whole = completeness[program.name]
        times = [
            f"{getattr(found, what) / found.rows / (getattr(base, what) / base.rows):.1f}"
            for what in ("wall", "processor")
        ]
        lines.append(
            f"| {program.name} | {found.rows:,} | {whole.lost:,} | {whole.doubled:,} "
            f"| {found.wall:.1f} | {found.rows / found.wall:,.0f} | {times[0]} "
            f"| {found.processor:.1f} | {times[1]} | {found.requests} |"
        )
    reasons = results.left_out.get(case.name, {})
    return lines + [f"\n{name} is left out: {reason}." for name, reason in reasons.items()]


def main() -> None:
    """Run the cases and print their tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.finance_operations")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per case")
    parser.add_argument("--scale", choices=(*SIZES,), default="full")
    given = parser.parse_args()
    require_posix("A benchmark")
    programs: list[Program] = [FinanceTap(1), FinanceDlt(is_sorted=False)]
    report = [f"{machine()}. Versions: {versions(programs)}."]
    with finance_client.running(rows=0, sizes={TABLE: SIZES[given.scale]}) as service:
        reached = service.switches()["reached_companies"]
        rows = [row for row in service.rows(TABLE) if row["dataAreaId"] in reached]
        expected = [tuple(row[column] for column in KEY) for row in rows]
        report += [f"{len(rows):,} rows of {len(reached)} companies; `×` compares time per row."]
        for case in CASES:
            say(f"\n{case.name}")
            with service.unchanged():
                found = measured(case, service, given.rounds, expected)
            report += ["", f"## {case.name}", "", *table(case, *found)]
    say("\n" + "\n".join(report))


if __name__ == "__main__":
    main()
