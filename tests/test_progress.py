"""Where a run is: lines in the log, a bar on a terminal, and the line that sums it up."""

from __future__ import annotations

import os
import pty
import re
from contextlib import contextmanager
from itertools import pairwise
from threading import Timer
from typing import TYPE_CHECKING

import pytest

from tap_dynamics365.extract.tally import Outcome, Tally
from tap_dynamics365.http.throttle import Throttle
from tap_dynamics365.http.traffic import Traffic
from tap_dynamics365.progress.progress import Progress, span
from tests.tap import SECONDS, WAYS, Message, Run, Tap, choose, in_one_mode, select

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox

COUNT = "RetrieveTotalRecordCount"

# The tap, but that it tells more often where it is.
HASTY = """
from tap_dynamics365.tap import TapDynamics365
class Hasty(TapDynamics365):
    progress_every = 0.05
Hasty.cli()
"""


def progress(*tallies: Tally) -> Progress:
    """Follow tables that nobody reads."""
    return Progress(tallies, Throttle(1800), Traffic())


def reading(table: str, rows: int = 0, expected: int | None = None) -> Tally:
    """A table of which all rows are being read, since the moment 0."""
    return Tally(table, rows, begun_at=0.0, reads_all=True, expected=expected)


def test_a_line_tells_how_far_a_table_is_and_how_long_it_will_take() -> None:
    (line,) = progress(reading("account", 30_000, 1_030_000)).lines(30.0)
    assert line == "account: 30,000 of about 1,030,000 rows, 1,000 rows/s, about 17 min left."


def test_rows_a_second_are_those_of_late() -> None:
    tally = reading("account", 60_000)
    told = progress(tally)
    told.lines(30.0)
    tally.rows += 300
    assert told.lines(60.0) == ["account: 60,300 rows, 10 rows/s."]
    assert told.lines(90.0) == ["account: 60,300 rows, 0 rows/s."]


@pytest.mark.parametrize(
    "tally",
    [
        Tally("account", 500, begun_at=0.0, expected=1_000),
        reading("account", 500),
        reading("account", 500, 499),
    ],
    ids=["what is new", "nobody knows", "the number is of yesterday"],
)
def test_without_a_number_to_compare_with_there_is_none(tally: Tally) -> None:
    assert progress(tally).lines(10.0) == ["account: 500 rows, 50 rows/s."]


def test_of_many_tables_the_largest_are_told_below_their_sum() -> None:
    done = Tally("team", 7, begun_at=0.0, outcome=Outcome.DONE)
    tables = [reading(f"table{number}", number, 10 * number) for number in range(1, 6)]
    lines = progress(Tally("later"), done, *tables).lines(1.0)
    assert "1 of 7 tables done, 5 under way: 22 rows" in lines[0]
    assert [line.partition(":")[0] for line in lines[1:]] == ["table5", "table4", "table3"]


def test_tables_that_are_over_and_not_done_are_told() -> None:
    over = [Tally(outcome.value, begun_at=0.0, outcome=outcome) for outcome in Outcome]
    line, *_ = progress(reading("account"), *over).lines(1.0)
    told = "1 of 5 tables done (1 read in part, 1 skipped, 1 failed), 1 under way"
    assert line.startswith(told)


def test_what_held_requests_back_is_told() -> None:
    throttle = Throttle(1800)
    throttle.pause_all(0.0001)
    told = Progress([reading("account")], throttle, Traffic())
    throttle.wait()
    assert "held back for" in told.lines(30.0)[0]
    assert "held back for" in told.bar(30.0, 200)
    assert "held back for" in told.summary(30.0)


@pytest.mark.parametrize("tables", [0, 1, 3])
@pytest.mark.parametrize("width", [1, 20, 80])
def test_a_bar_fits_into_its_terminal(tables: int, width: int) -> None:
    told = progress(*(reading(f"table{number}", 5_000, 10_000) for number in range(tables)))
    assert len(told.bar(1.0, width)) < max(width, 1)


def test_a_bar_is_as_long_as_what_is_done() -> None:
    assert progress(reading("account", 5_000, 20_000)).bar(5.0, 80).startswith("[#####......")
    assert progress(reading("account", 5_000)).bar(5.0, 80) == "account: 5,000 rows, 1,000 rows/s"
    for outcome in Outcome:
        half = progress(reading("account"), Tally("team", outcome=outcome))
        assert half.bar(5.0, 80).startswith("[##########....")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (1, "1 s"),
        (9.3, "9.3 s"),
        (9.96, "10 s"),
        (61, "61 s"),
        (150, "2 min"),
        (3_599, "60 min"),
        (3_600, "1 h 0 min"),
        (100_000, "27 h 47 min"),
    ],
)
def test_spans_of_time_are_told_as_a_person_would(seconds: float, told: str) -> None:
    assert span(seconds) == told


@contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """See to it that a run ends with its test, and the test with it if what it waits for fails."""
    late = Timer(SECONDS, process.kill)
    late.start()
    with process:
        try:
            yield process
        finally:
            late.cancel()
            process.kill()


@in_one_mode
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_lines_come_also_when_nothing_moves(
    service: Sandbox, catalog: Message, tmp_path: Path, way: Message
) -> None:
    """The pipe is full, and nobody reads it until the number of rows was told."""
    hasty = Tap({**service.settings, **way}, command=("-c", HASTY))
    chosen = select(catalog, {"account": None})
    rows = len(service.rows("account"))
    with ending(hasty.start(tmp_path, catalog=chosen)) as process:
        log = iter(process.stderr or ())
        line = next((line.decode() for line in log if b"of about" in line), "")
        output, rest = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, rest
    assert re.search(rf"INFO .*account: [0-9,]+ of about {rows:,} rows, [0-9,]+ rows/s", line)
    assert len(Run(0, output.decode(), "").records("account")) == rows
    asked = [request["path"] for request in service.requests() if COUNT in request["path"]]
    assert len(asked) == 1


@in_one_mode
@pytest.mark.parametrize("way", ["one-by-one", "as-values"])
def test_row_counts_are_asked_for_within_max_parallel_requests(
    service: Sandbox, catalog: Message, way: str
) -> None:
    service.fault("/accounts", delay_ms=300, count=4)
    settings = {**service.settings, **WAYS[way], "max_parallel_requests": 1, "fetch_size": 300}
    Tap(settings, command=("-c", HASTY)).sync(catalog=select(catalog, {"account": None}))
    log = sorted(service.requests(), key=lambda request: float(request["at"]))
    assert any(COUNT in request["path"] for request in log)
    for before, after in pairwise(log):
        assert before["answered_at"] <= after["at"], (before, after)


@in_one_mode
def test_a_run_that_goes_on_from_a_bookmark_is_not_compared_with_all_rows(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    chosen = select(catalog, {"account": None})
    state = tap.sync(catalog=chosen).state
    service.clear_requests()
    hasty = Tap(tap.settings, command=("-c", HASTY))
    service.fault("/accounts", delay_ms=500)
    run = hasty.sync(catalog=chosen, state=state)
    lines = [line for line in run.logged("INFO") if line.startswith("account: ")]
    assert lines
    assert not [line for line in lines if "of about" in line]
    assert not [request for request in service.requests() if COUNT in request["path"]]


@in_one_mode
def test_tables_that_are_not_counted_are_told_without_a_number(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.fault(COUNT, status=400, count=None)
    service.fault("/accounts|/contacts", delay_ms=500, count=2)
    hasty = Tap(tap.settings, command=("-c", HASTY))
    run = hasty.sync(catalog=select(catalog, {"account": None, "contact": None}))
    assert not run.logged("WARNING")
    assert [line for line in run.logged("INFO") if "under way" in line]
    assert not [line for line in run.logged("INFO") if "of about" in line]


@in_one_mode
def test_one_that_is_not_counted_does_not_keep_the_others_from_it(
    service: Sandbox, tap: Tap, catalog: Message, tmp_path: Path
) -> None:
    """Of virtual tables the service gives no number, nor of others that are asked for with them."""
    service.fault("new_externalorders", delay_ms=2_000)
    hasty = Tap(tap.settings, command=("-c", HASTY))
    chosen = select(catalog, {"account": None, "new_externalorder": None})
    with ending(hasty.start(tmp_path, catalog=chosen)) as process:
        assert any(b"account" in line and b"of about" in line for line in process.stderr or ())
        process.communicate(timeout=SECONDS)
    asked = [request["query"]["@p1"] for request in service.requests() if COUNT in request["path"]]
    assert '["account"]' in asked


def test_a_short_run_asks_for_no_numbers(service: Sandbox, tap: Tap, catalog: Message) -> None:
    tap.sync(catalog=select(catalog, {"account": None}))
    assert not [request for request in service.requests() if COUNT in request["path"]]


@in_one_mode
def test_on_a_terminal_a_bar_stands_below_the_log(
    service: Sandbox, catalog: Message, tmp_path: Path
) -> None:
    tap = Tap(dict(service.settings))
    chosen = select(catalog, {"account": None})
    here, there = pty.openpty()
    try:
        with ending(tap.start(tmp_path, stderr=there, catalog=chosen)) as process:
            os.close(there)
            seen = b""
            while not re.search(rb"\r\[[#.]{20}\] account: [0-9,]+ of about [0-9,]+ rows", seen):
                chunk = read(here)
                assert chunk, seen
                seen += chunk
            output, _ = process.communicate(timeout=SECONDS)
        while chunk := read(here):
            seen += chunk
    finally:
        os.close(here)
    assert process.returncode == 0
    assert len(Run(0, output.decode(), "").records("account")) == len(service.rows("account"))
    lines = screen(seen.decode())
    # No line but those of the log is left, each from its first column on.
    assert lines.pop() == ""
    assert all(re.match(r"\d{4}-\d\d-\d\d .* \| [A-Z]+ +\| ", line) for line in lines), lines
    assert "Sent " in lines[-1]


def read(terminal: int) -> bytes:
    """Read what is left of what was written to a terminal that nobody writes to any more."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def screen(text: str) -> list[str]:
    """What stands on a terminal: behind a carriage return, a line is written over."""
    lines = []
    for written in text.split("\r\n"):
        line = ""
        for part in written.split("\r"):
            line = part + line[len(part) :]
        lines.append(line.rstrip())
    return lines


def test_the_last_line_sums_the_run_up(service: Sandbox, tap: Tap, catalog: Message) -> None:
    run = tap.sync(catalog=select(catalog, {"account": None, "contact": None}))
    rows = sum(run.counts.values())
    log = service.requests()
    received = sum(int(request["bytes"]) for request in log)
    assert re.fullmatch(
        rf"Sent {rows:,} rows in [0-9.]+ s: 2 of 2 tables done, {len(log)} requests made, "
        rf"{received:,} bytes received\.",
        run.logged("INFO")[-1],
    )
    assert received > 10_000


@in_one_mode
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_it_tells_of_tables_that_are_not_whole(
    service: Sandbox, catalog: Message, way: Message
) -> None:
    service.configure(forbidden_tables=["contact"])
    service.fault("/accounts", status=400, count=None)
    limited = {"stmt_call_limit": 1, "stmt_call_limit_behavior": "ReturnResults"}
    tap = Tap({**service.settings, **way, **limited, "fetch_size": 10})
    names = ["account", "contact", "systemuser", "team"]
    run = tap.run(catalog=select(catalog, dict.fromkeys(names)))
    assert run.status == 1
    assert len(run.records("team")) <= 10 < len(service.rows("systemuser"))
    told = "1 of 4 tables done (1 read in part, 1 skipped, 1 failed)"
    assert told in run.logged("INFO")[-1]


@in_one_mode
def test_a_run_that_fails_before_it_reads_is_summed_up_too(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.fault("/token", status=400, count=None)
    run = tap.run(catalog=choose(catalog, "team"))
    assert run.refusal()
    assert "Sent 0 rows" in run.logged("INFO")[-1]
    assert "0 of 1 tables done, 1 requests made" in run.logged("INFO")[-1]
