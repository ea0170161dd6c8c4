"""`make bench`: run all cases and write the report."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks import export, pipeline, report, spark, tables
from benchmarks.cases import CASES, DISCOVERY, Name, sizes
from benchmarks.running import Runner, say
from sandbox import client
from tools import organisation
from tools.measuring import FailedError
from tools.system import require_posix

HERE = Path(__file__).resolve().parent
# The measurements, from which `--render` writes the report again.
RAW = HERE.parent / "output" / "benchmarks.json"
# A real metadata document, if there is one next to the project; otherwise one of this size.
DOCUMENT = HERE.parents[1] / "shared" / "csdl" / "dataverse-v9.xml.gz"
TABLES, COLUMNS = 330, 60
SMALLEST_SHARE_OF_TIME = 0.2


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds per case, if time allows")
    parser.add_argument("--scale", choices=("full", "small"), default="full")
    parser.add_argument("--minutes", type=float, default=13, help="minutes for all cases together")
    parser.add_argument("--only", default="", help="only cases whose names contain this")
    parser.add_argument("--spark", default="4.3.0", help="version of Apache Spark")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of the report")
    parser.add_argument(
        "--render", action="store_true", help="only write the report of the last run again"
    )
    return parser.parse_args()


def _write(run: report.Run, folder: Path) -> None:
    # Imported late: the memory of this process counts as that of its children.
    from benchmarks import chart  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(report.write(run), encoding="utf-8")
    chart.draw(run.results, folder / "results.png")


def main() -> None:
    """Run the cases and write the report."""
    given = _arguments()
    require_posix("A benchmark")
    if given.render:
        _write(msgspec.json.decode(RAW.read_bytes(), type=report.Run), given.output)
        return
    begin = time.monotonic()
    rows = sizes(given.scale)
    cases = [case for case in CASES if given.only in case.name]
    with tempfile.TemporaryDirectory() as name:
        document = organisation.write(Path(name) / "organisation.xml", tables.COLUMNS)
        say(f"Generating {sum(rows.values()):,} rows")
        with client.running(rows=0, csdl=document, sizes=rows) as service:
            spent = time.monotonic() - begin
            seconds = max(given.minutes * 60 - spent, SMALLEST_SHARE_OF_TIME * given.minutes * 60)
            runner = Runner(given.rounds, seconds, sum(case.share for case in CASES) + 2)
            for case in cases:
                runner.run(case, service)
            piped: dict[str, float] = {}
            if not given.only or given.only in Name.PIPELINE:
                count = sum(rows[table] for table in pipeline.LOAD.tables)
                piped = pipeline.run(runner, service, count)
            export.measure(runner, service, rows, given.only)
        if given.only in DISCOVERY.name:
            many = {f"bench_{number:03d}": COLUMNS for number in range(TABLES)}
            document = organisation.write(Path(name) / "many.xml", many)
            real = DOCUMENT.exists()
            with client.running(rows=0, csdl=DOCUMENT if real else document) as service:
                runner.run(DISCOVERY, service)
    in_spark: dict[str, float] = {}
    if given.only in Name.SPARK:
        try:
            in_spark = spark.measure(given.spark)
        except FailedError as error:
            say(f"  left out: {error}")
            runner.results.left_out[Name.SPARK]["Apache Spark"] = str(error)
    run = report.Run(
        rows=rows,
        minutes=(time.monotonic() - begin) / 60,
        piped=piped,
        spark=in_spark,
        real_document=DOCUMENT.exists(),
        results=runner.results,
    )
    RAW.parent.mkdir(exist_ok=True)
    RAW.write_bytes(msgspec.json.encode(run))
    _write(run, given.output)
    say(f"\n{given.output / 'results.md'} written after {(time.monotonic() - begin) / 60:.0f} min")


if __name__ == "__main__":
    main()
