"""What is compared: cases, and the sizes of their tables."""

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
# How many rows the tables have, and how much less in a run that shall be quick.
SIZES = {
    "bench_narrow": 50_000,
    "bench_typical": 50_000,
    "bench_wide": 10_000,
    "bench_large": 1_000_000,
    **dict.fromkeys(tables.SMALL_TABLES, 2 * PAGE),
}
SMALLER = {"bench_large": 200_000, "bench_typical": 20_000, "bench_narrow": 20_000}


class Name(StrEnum):
    """The cases by the names that the report refers to them with."""

    TYPICAL = "40 columns"
    NARROW = "10 columns"
    WIDE = "198 columns"
    FEW = "3 of 198 columns"
    ONE_DELAYED = "one table, 300 ms a page"
    MANY_DELAYED = "40 tables, 300 ms a page"
    LARGE_DELAYED = "a million rows, 300 ms a page"
    NOTHING_NEW = "nothing new in 10 tables"
    DISCOVERY = "discovery"
    PIPELINE = "into PostgreSQL"


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        name: its heading.
        load: what there is to do.
        lighter: what there is to do for programs that would take minutes.
        delay: milliseconds that the service waits before each page.
        programs: who takes part.
        share: of the time for the whole run, how much this may have.
        note: what a reader has to know.
    """

    name: Name
    load: Load
    lighter: Load | None = None
    delay: int = 0
    programs: tuple[Program, ...] = OURS + PEERS
    share: float = 1.0
    note: str = ""

    def load_of(self, program: Program) -> Load:
        """What a program has to do."""
        return self.lighter if self.lighter and program.slow else self.load

    def reason_against(self, program: Program) -> str:
        """Why a program has no part in this; nothing if it has."""
        load = self.load_of(program)
        if program is CEILING and len(load.tables) > 1:
            return "it reads one table"
        return program.missing or program.cannot.get(load.work, "")


LIGHTER = "Programs that read fewer rows than this tap are compared by rows a second."
MANY = tuple(tables.SMALL_TABLES)
CASES = (
    Case(
        Name.TYPICAL,
        Load(("bench_large",)),
        Load(("bench_typical",)),
        share=3,
        note=f"No delay: what a row costs. {LIGHTER}",
    ),
    Case(
        Name.MANY_DELAYED,
        Load(MANY),
        Load(MANY[:5]),
        delay=DELAY,
        share=2,
        note="Two pages each; five of the tables for programs that would take minutes.",
    ),
    Case(Name.ONE_DELAYED, Load(("bench_typical",)), delay=DELAY, share=2),
    Case(
        Name.LARGE_DELAYED,
        Load(("bench_large",)),
        Load(("bench_typical",)),
        delay=DELAY,
        programs=(SEQUENTIAL, PARALLEL, TEXTBOOK),
        share=3,
        note=f"{LIGHTER} The peers are in the case before.",
    ),
    Case(Name.NARROW, Load(("bench_narrow",)), note="No delay."),
    Case(Name.WIDE, Load(("bench_wide",)), note="No delay."),
    Case(
        Name.FEW,
        Load(("bench_wide",), tuple(tables.columns("bench_wide")[10:13])),
        note="No delay. With the key and the date of the last change.",
    ),
    Case(Name.NOTHING_NEW, Load(MANY[:10], work=Work.READ_NOTHING_NEW)),
)
DISCOVERY = Case(Name.DISCOVERY, Load((), work=Work.DISCOVER), programs=(SEQUENTIAL, *PEERS[:2]))


def sizes(scale: str) -> dict[str, int]:
    """How many rows each table has.

    Args:
        scale: `full` or `small`.
    """
    return {**SIZES, **SMALLER} if scale == "small" else SIZES
