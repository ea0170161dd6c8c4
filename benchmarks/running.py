"""Run of the cases: programs alternate in rounds, within a time limit."""

from __future__ import annotations

import http.client
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from benchmarks.loads import Work
from benchmarks.programs import Place
from tools import organisation
from tools.measuring import FailedError, Measurement, watched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.cases import Case
    from benchmarks.loads import Load
    from benchmarks.programs import Program
    from sandbox.client import Sandbox

# A program that takes longer than this many seconds is left out of the case.
LONGEST_RUN = 300.0
# The first round of a case always runs. All cases together may exceed their time by this factor.
OVERTIME = 1.3


@dataclass
class Results:
    """Measurements, by case and program.

    Attributes:
        measured: The measurements of the rounds.
        left_out: The reasons of the programs that are left out.
    """

    measured: dict[str, dict[str, list[Measurement]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    left_out: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def typical(self, case: str, program: str) -> Measurement | None:
        """The medians of a program's rounds."""
        rounds = self.measured.get(case, {}).get(program)
        if not rounds:
            return None
        return Measurement(
            wall=median(each.wall for each in rounds),
            processor=median(each.processor for each in rounds),
            memory=median(each.memory for each in rounds),
            rows=round(median(each.rows for each in rounds)),
            requests=round(median(each.requests for each in rounds)),
            wire=median(each.wire for each in rounds),
        )


def say(text: str, end: str = "\n") -> None:
    """Print progress."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


class _Page(msgspec.Struct):
    next_link: str | None = msgspec.field(default=None, name="@odata.nextLink")


def warm(service: Sandbox, load: Load) -> None:
    """Read a load once, so that the sandbox has serialized its rows before the measurement."""
    address = urlsplit(service.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=600)
    given = service.announced
    grant = {"grant_type": "client_credentials", "scope": given["scope"]}
    grant |= {name: given[name] for name in ("client_id", "client_secret")}
    sign_in = given["token_uri"].removeprefix(service.url)
    connection.request("POST", sign_in, urlencode(grant))
    token = msgspec.json.decode(connection.getresponse().read())["access_token"]
    signed = {"Authorization": f"Bearer {token}"}
    for table in load.tables:
        options = "&".join(f"{name}={value}" for name, value in load.query(table).items())
        base = f"{given['service_url']}{organisation.entity_set(table)}?"
        greatest = f"{base}$select=modifiedon&$orderby=modifiedon%20desc&$top=1"
        link: str | None = quote(f"{base}{options}", safe="$,:/?&=%'()")
        connection.request("GET", greatest.removeprefix(service.url), headers=signed)
        connection.getresponse().read()
        while link:
            path = link.removeprefix(service.url)
            connection.request("GET", path, headers=signed)
            link = msgspec.json.decode(connection.getresponse().read(), type=_Page).next_link


class Runner:
    """Runner of cases.

    Args:
        rounds: Rounds per case, if time allows.
        seconds: Time for all cases together.
        shares: Sum of the shares of all cases.
    """

    def __init__(self, rounds: int, seconds: float, shares: float) -> None:
        self.rounds = rounds
        self.seconds_a_share = seconds / shares
        self.ends = time.monotonic() + seconds * OVERTIME
        self.results = Results()

    def run(self, case: Case, service: Sandbox) -> None:
        """Run a case."""
        say(f"\n{case.name}")
        if time.monotonic() > self.ends:
            for program in case.programs:
                self._leave_out(case, program, "no time was left")
            return
        budget, begin = case.share * self.seconds_a_share, time.monotonic()
        service.configure(page_delay_ms=0, compress=False)
        for load in {case.load_of(program) for program in case.programs}:
            if load.work is not Work.DISCOVER:
                warm(service, load)
        with tempfile.TemporaryDirectory() as name:
            ready = list(self._prepared(case, service, Path(name)))
            service.configure(page_delay_ms=case.delay)
            for number in range(self.rounds):
                began = time.monotonic()
                for place in ready[::-1] if number % 2 else ready:
                    self._measure(case, place, service)
                lasted = time.monotonic() - began
                if time.monotonic() - begin + lasted > budget:
                    break
        service.configure(page_delay_ms=0)

    def _prepared(
        self, case: Case, service: Sandbox, folder: Path
    ) -> Iterator[tuple[Program, Place]]:
        for number, program in enumerate(case.programs):
            place = Place(service, folder / str(number))
            place.folder.mkdir()
            reason = case.reason_against(program)
            if not reason:
                try:
                    program.prepare(case.load_of(program), place)
                except (FailedError, OSError, subprocess.TimeoutExpired) as error:
                    reason = str(error)
            if reason:
                self._leave_out(case, program, reason)
            else:
                yield program, place

    def _measure(self, case: Case, ready: tuple[Program, Place], service: Sandbox) -> None:
        program, place = ready
        if program.name in self.results.left_out[case.name] or place.command is None:
            return
        try:
            found = watched(place.command, LONGEST_RUN, service)
        except FailedError as error:
            self._leave_out(case, program, str(error))
            return
        self.results.measured[case.name][program.name].append(found)
        say(
            f"  {program.name:<32}{found.rows:>9,} rows {found.wall:>7.1f} s "
            f"{found.processor:>7.1f} s of processor time {found.memory:>5.0f} MB "
            f"{found.requests:>4} requests"
        )

    def _leave_out(self, case: Case, program: Program, reason: str) -> None:
        say(f"  {program.name:<32}left out: {reason}")
        self.results.left_out[case.name][program.name] = reason
