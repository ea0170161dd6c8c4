"""Command line of the soak test: `python -m soak`."""

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
from tools.system import require_posix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox
    from sandbox.faults.mishaps import Attributes

TABLES = [f"soak_table{number}" for number in range(1, 5)]
# Rows of one run; the number of runs depends on the rows to read.
ROWS_OF_A_RUN = 2_000_000
IN_FLIGHT = 8
LONGEST_WAIT = 0.5
# Share of the requests that each fault hits at random.
CHANCE = 0.001
# In each run every fault hits at least one request; the faults are this many requests apart. A
# token expires once, too.
SPACING = 3
# Statuses of errors with a code; the others are left out.
OF_CODES = {400, 500}
# Peak memory in MB, with 8 requests in flight and the default read-ahead.
MOST_MEMORY = 512


@dataclass
class Figures:
    """Totals of all runs.

    Attributes:
        rows: Number of rows, each of them checked.
        runs: Number of runs.
        states: Number of STATE messages.
        requests: Number of requests, failed ones included.
        bytes: Total size of the responses.
        hits: Number of requests hit by each fault.
        waits: Number of waits that the tap logged.
        seconds: Total duration.
        memory: Peak memory of the tap in each run, in MB.
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
        """Yield the totals as lines of a Markdown table."""
        yield "| | |"
        yield "|---|--:|"
        yield f"| rows, each of them checked | {self.rows:,} |"
        yield f"| runs, each of {len(TABLES)} tables | {self.runs:,} |"
        yield f"| states | {self.states:,} |"
        yield f"| requests | {self.requests:,} |"
        yield f"| requests hit by a fault | {sum(self.hits.values()):,} |"
        for kind, hits in sorted(self.hits.items()):
            yield f"| … {kind} | {hits:,} |"
        yield f"| waits in the log | {self.waits:,} |"
        yield f"| GB of responses | {self.bytes / 1e9:,.1f} |"
        yield f"| minutes | {self.seconds / 60:,.1f} |"
        yield f"| rows per second, including waits | {self.rows / self.seconds:,.0f} |"
        yield f"| MB of peak memory, first run | {self.memory[0]:,.0f} |"
        yield f"| MB of peak memory, all runs | {max(self.memory):,.0f} |"


def faults() -> dict[str, Attributes]:
    """Return the faults by name, without those that ask for long waits.

    Faults with error codes and messages are the service's alone: the sign-in host has others.
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
        service: The sandbox.
        run: Number of the run, which is the seed of random faults.

    Returns:
        Name of each ordered fault.
    """
    service.clear_faults()
    names = []
    for number, (name, attributes) in enumerate(faults().items()):
        service.fault(skip=SPACING * number, **attributes)
        service.fault(count=None, probability=CHANCE, seed=1_000 * run + number, **attributes)
        names += [name, name]
    service.fault("/api/data/", skip=SPACING, expire_tokens=True)
    return [*names, "token expired"]


def soak(rows: int, fetch_size: int) -> Figures:
    """Read rows in runs, until there are enough.

    Args:
        rows: Smallest number of rows to read.
        fetch_size: Number of rows in a page.

    Returns:
        Totals of the runs.

    Raises:
        LostError: A run failed, or its rows are not those of the service.
    """
    figures = Figures()
    sizes = dict.fromkeys(TABLES, min(rows, ROWS_OF_A_RUN) // len(TABLES))
    with tempfile.TemporaryDirectory() as name:
        columns = dict.fromkeys(TABLES, organisation.NARROW)
        document = organisation.write(Path(name) / "organisation.xml", columns)
        with client.running(rows=0, csdl=document, sizes=sizes) as service:
            # Compression would take processor time of both sides.
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
        message = f"The service has {wanted}, but the tap wrote {found.tables}."
        raise LostError(message)
    if found.memory > MOST_MEMORY:
        message = f"The tap used {found.memory:.0f} MB of memory; the limit is {MOST_MEMORY} MB."
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
    """Run the soak test, and print the totals."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000, help="number of rows to read")
    parser.add_argument("--fetch-size", type=int, default=5_000, help="number of rows in a page")
    given = parser.parse_args()
    require_posix("The soak test")
    figures = soak(given.rows, given.fetch_size)
    print("\n".join(("", *figures.lines())))


if __name__ == "__main__":
    main()
