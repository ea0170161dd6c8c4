"""Cases: what is compared, with which programs, and how large the tables are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from benchmarks import tables
from benchmarks.competitors import Airbyte, Client, Dlt, MsDynamics
from benchmarks.loads import Load, Work
from benchmarks.programs import Ceiling, Textbook, ThisTap

if TYPE_CHECKING:
    from benchmarks.programs import Program

DELAY = 300
PAGE = 5_000
SEQUENTIAL, PARALLEL = ThisTap(1), ThisTap(8)
TEXTBOOK, CEILING = Textbook(), Ceiling()
OURS: tuple[Program, ...] = (SEQUENTIAL, PARALLEL, TEXTBOOK, CEILING)
PEERS: tuple[Program, ...] = (MsDynamics(), Airbyte(), Dlt(), Client())
# Rows of the tables, and fewer rows for `SCALE=small`.
SIZES = {
    "bench_narrow": 50_000,
    "bench_typical": 50_000,
    "bench_wide": 10_000,
    "bench_large": 1_000_000,
    **dict.fromkeys(tables.SMALL_TABLES, 2 * PAGE),
}
SMALLER = {"bench_large": 200_000, "bench_typical": 20_000, "bench_narrow": 20_000}


class Name(StrEnum):
    """Names of the cases in the report."""

    TYPICAL = "40 columns"
    NARROW = "10 columns"
    WIDE = "198 columns"
    FEW = "3 of 198 columns"
    ONE_DELAYED = "one table, 300 ms per page"
    MANY_DELAYED = "40 tables, 300 ms per page"
    LARGE_DELAYED = "a million rows, 300 ms per page"
    NOTHING_NEW = "no changes in 10 tables"
    DISCOVERY = "discovery"
    PIPELINE = "into PostgreSQL"
    EXPORT = "export"
    EXPORT_DELAYED = "export, 300 ms per page"
    SPARK = "Spark, 300 ms per page"


@dataclass(frozen=True)
class Case:
    """A comparison of programs.

    Attributes:
        name: Its heading in the report.
        load: The work.
        lighter: The work of slow programs, which would take minutes otherwise.
        delay: Milliseconds that the service waits before each page.
        programs: The programs that are compared.
        share: Its share of the time of the whole run.
        note: A remark for the reader of the report.
    """

    name: Name
    load: Load
    lighter: Load | None = None
    delay: int = 0
    programs: tuple[Program, ...] = OURS + PEERS
    share: float = 1.0
    note: str = ""

    def load_of(self, program: Program) -> Load:
        """The work of a program."""
        return self.lighter if self.lighter and program.slow else self.load

    def reason_against(self, program: Program) -> str:
        """Why a program is left out; the empty string if it is not."""
        load = self.load_of(program)
        if program is CEILING and len(load.tables) > 1:
            return "it reads one table"
        return program.missing or program.cannot.get(load.work, "")


LIGHTER = "Programs that read fewer rows than this tap are compared by rows per second."
MANY = tuple(tables.SMALL_TABLES)
CASES = (
    Case(
        Name.TYPICAL,
        Load(("bench_large",)),
        Load(("bench_typical",)),
        share=3,
        note=f"No delay: the cost of a row. {LIGHTER}",
    ),
    Case(
        Name.MANY_DELAYED,
        Load(MANY),
        Load(MANY[:5]),
        delay=DELAY,
        share=2,
        note="Two pages per table. Slow programs read five of the tables.",
    ),
    Case(Name.ONE_DELAYED, Load(("bench_typical",)), delay=DELAY, share=2),
    Case(
        Name.LARGE_DELAYED,
        Load(("bench_large",)),
        Load(("bench_typical",)),
        delay=DELAY,
        programs=(SEQUENTIAL, PARALLEL, TEXTBOOK),
        share=3,
        note=f"{LIGHTER} For the other extractors, see the previous case.",
    ),
    Case(Name.NARROW, Load(("bench_narrow",)), note="No delay."),
    Case(Name.WIDE, Load(("bench_wide",)), note="No delay."),
    Case(
        Name.FEW,
        Load(("bench_wide",), tuple(tables.columns("bench_wide")[10:13])),
        note="No delay. The key and the modification date are read too.",
    ),
    Case(Name.NOTHING_NEW, Load(MANY[:10], work=Work.READ_NOTHING_NEW)),
)
DISCOVERY = Case(Name.DISCOVERY, Load((), work=Work.DISCOVER), programs=(SEQUENTIAL, *PEERS[:2]))


def sizes(scale: str) -> dict[str, int]:
    """The number of rows of each table.

    Args:
        scale: `full` or `small`.
    """
    return {**SIZES, **SMALLER} if scale == "small" else SIZES
