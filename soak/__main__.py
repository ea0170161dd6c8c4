"""`make soak`: read millions of rows under faults, and print what it took."""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import client
from sandbox.faults.mishaps import FAILED, KINDS, THROTTLED, TOO_MUCH, is_of_service
from soak import reading
from soak.reading import LostError
from tools import organisation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox
    from sandbox.faults.mishaps import Attributes

TABLES = [f"soak_table{number}" for number in range(1, 5)]
# What one run reads; more runs read more.
ROWS_OF_A_RUN = 2_000_000
IN_FLIGHT = 8
LONGEST_WAIT = 0.5
# The share of the requests that each kind of fault hits.
CHANCE = 0.001
# In each run every kind hits one request for certain, one in so many; and a token expires.
SPACING = 3
# Of the statuses that come with a code, these are enough.
OF_CODES = {400, 500}
# With 8 requests in flight and the read-ahead that is the default.
MOST_MEMORY = 512


@dataclass
class Figures:
    """What all runs took together.

    Attributes:
        rows: Rows that came, each looked at.
        runs: How many runs.
        states: States between them.
        requests: Requests, those that failed included.
        bytes: In their answers.
        hits: Requests that a fault hit, by what it was.
        waits: How many times the tap said that it waits.
        seconds: How long the runs took.
        memory: The most that the tap had in each run, in MB.
    """

    rows: int = 0
    runs: int = 0
    states: int = 0
    requests: int = 0
    bytes: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    waits: int = 0
    seconds: float = 0.0
    memory: list[float] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Tell them, as a table in Markdown."""
        yield "| | |"
        yield "|---|--:|"
        yield f"| rows, each of them checked | {self.rows:,} |"
        yield f"| runs, each of {len(TABLES)} tables | {self.runs:,} |"
        yield f"| states | {self.states:,} |"
        yield f"| requests | {self.requests:,} |"
        yield f"| of them hit by a fault | {sum(self.hits.values()):,} |"
        for kind, hits in sorted(self.hits.items()):
            yield f"| … {kind} | {hits:,} |"
        yield f"| waits that the log tells of | {self.waits:,} |"
        yield f"| GB of answers | {self.bytes / 1e9:,.1f} |"
        yield f"| minutes | {self.seconds / 60:,.1f} |"
        yield f"| rows a second, waits included | {self.rows / self.seconds:,.0f} |"
        yield f"| MB of memory at most, first run | {self.memory[0]:,.0f} |"
        yield f"| MB of memory at most, any run | {max(self.memory):,.0f} |"


def mishaps() -> dict[str, Attributes]:
    """The faults, by what they are; those that ask for long waits left out.

    Codes and words are the service's own: the sign-in host has others.
    """
    found = {}
    for sort in (THROTTLED, FAILED, TOO_MUCH):
        for kind, attributes in KINDS[sort].items():
            waits = float(attributes.get("retry_after") or 0)
            is_needed = "code" not in attributes or attributes["status"] in OF_CODES
            if waits <= LONGEST_WAIT and is_needed:
                path = "/api/data/" if is_of_service(attributes) else ""
                found[f"{sort}: {kind}"] = {"path": path, **attributes}
    return found


def order(service: Sandbox, run: int) -> list[str]:
    """Order the faults of a run.

    Args:
        service: The service.
        run: Its number: each has a weather of its own.

    Returns:
        What each order is.
    """
    service.clear_faults()
    names = []
    for number, (name, attributes) in enumerate(mishaps().items()):
        service.fault(skip=SPACING * number, **attributes)
        service.fault(count=None, probability=CHANCE, seed=1_000 * run + number, **attributes)
        names += [name, name]
    service.fault("/api/data/", skip=SPACING, expire_tokens=True)
    return [*names, "token expired"]


def soak(rows: int, fetch_size: int) -> Figures:
    """Read rows until there were so many.

    Args:
        rows: How many at least.
        fetch_size: How many each request asks for.

    Returns:
        What it took.

    Raises:
        LostError: A run failed, or did not bring what the service has.
    """
    figures = Figures()
    sizes = dict.fromkeys(TABLES, min(rows, ROWS_OF_A_RUN) // len(TABLES))
    with tempfile.TemporaryDirectory() as name:
        columns = dict.fromkeys(TABLES, organisation.NARROW)
        document = organisation.write(Path(name) / "organisation.xml", columns)
        with client.running(rows=0, csdl=document, sizes=sizes) as service:
            # It would take the time of both, and the processors are few.
            service.configure(compress=False)
            wanted = reading.expected(service, TABLES)
            while figures.rows < rows:
                _run(service, wanted, fetch_size, figures)
    return figures


def _run(
    service: Sandbox, wanted: dict[str, reading.Tally], fetch_size: int, figures: Figures
) -> None:
    names = order(service, figures.runs)
    service.clear_requests()
    settings = {
        **service.settings,
        "max_parallel_requests": IN_FLIGHT,
        "fetch_size": fetch_size,
    }
    found = reading.read(settings, TABLES)
    if found.tables != wanted:
        message = f"The service has {wanted}, and the tap wrote {found.tables}."
        raise LostError(message)
    if found.memory > MOST_MEMORY:
        message = f"The tap took {found.memory:.0f} MB of memory."
        raise LostError(message)
    log = service.requests()
    figures.runs += 1
    figures.rows += sum(tally.rows for tally in found.tables.values())
    figures.states += found.states
    figures.requests += len(log)
    figures.bytes += sum(request["bytes"] for request in log)
    for kind, hits in zip(names, service.hits(), strict=True):
        figures.hits[kind] += hits
    figures.waits += found.waits
    figures.seconds += found.seconds
    figures.memory.append(found.memory)
    print(f"{figures.rows:,} rows, {found.seconds:.0f} s, {found.memory:.0f} MB", flush=True)


def main() -> None:
    """Soak, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000, help="how many to read")
    parser.add_argument("--fetch-size", type=int, default=5_000, help="rows of a page")
    given = parser.parse_args()
    figures = soak(given.rows, given.fetch_size)
    print("\n".join(("", *figures.lines())))


if __name__ == "__main__":
    main()
