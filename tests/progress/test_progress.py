"""Progress lines in the log, and the summary of a run."""

from __future__ import annotations

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

# The tap with progress lines at short intervals.
HASTY = """
from tap_dynamics365.tap import TapDynamics365
class Hasty(TapDynamics365):
    progress_every = 0.05
Hasty.cli()
"""


def progress(*tallies: Tally) -> Progress:
    """Make the progress of a run without requests."""
    return Progress(tallies, Throttle(1800), Traffic())


def reading(table: str, rows: int = 0, expected: int | None = None) -> Tally:
    """A table that is read in full since the time 0."""
    return Tally(table, rows, begun_at=0.0, reads_all=True, expected=expected)


def test_line_of_a_table_with_a_row_count_has_speed_and_remaining_time() -> None:
    (line,) = progress(reading("account", 30_000, 1_030_000)).lines(30.0)
    assert line == "account: 30,000 of about 1,030,000 rows, 1,000 rows/s, about 17 min left."


def test_speed_after_a_change_is_that_of_the_last_30_seconds() -> None:
    tally = reading("account", 60_000)
    run = progress(tally)
    run.lines(30.0)
    tally.rows += 300
    assert run.lines(60.0) == ["account: 60,300 rows, 10 rows/s."]
    assert run.lines(90.0) == ["account: 60,300 rows, 0 rows/s."]


@pytest.mark.parametrize(
    "tally",
    [
        Tally("account", 500, begun_at=0.0, expected=1_000),
        reading("account", 500),
        reading("account", 500, 499),
    ],
    ids=["only new rows", "no row count", "row count too small"],
)
def test_line_of_a_table_without_a_usable_row_count_has_rows_and_speed_only(tally: Tally) -> None:
    assert progress(tally).lines(10.0) == ["account: 500 rows, 50 rows/s."]


@pytest.mark.parametrize(
    ("tally", "line"),
    [
        (reading("account", 1), "account: 1 row, 0 rows/s."),
        (reading("account", 0, 1), "account: 0 of about 1 row, 0 rows/s."),
    ],
    ids=["read", "counted"],
)
def test_line_of_a_table_with_one_row_is_in_the_singular(tally: Tally, line: str) -> None:
    assert progress(tally).lines(10.0) == [line]


def test_summary_of_one_table_is_in_the_singular() -> None:
    run = progress(Tally("account", 1, begun_at=0.0, outcome=Outcome.DONE))
    assert re.fullmatch(
        r"Sent 1 row in .*: 1 of 1 table done, 0 requests made, 0 bytes received\.",
        run.summary(10.0),
    )


def test_lines_of_many_tables_are_their_sum_and_the_three_largest() -> None:
    done = Tally("team", 7, begun_at=0.0, outcome=Outcome.DONE)
    tables = [reading(f"table{number}", number, 10 * number) for number in range(1, 6)]
    lines = progress(Tally("later"), done, *tables).lines(1.0)
    assert "1 of 7 tables done, 5 in progress: 22 rows" in lines[0]
    assert [line.partition(":")[0] for line in lines[1:]] == ["table5", "table4", "table3"]


def test_line_of_many_tables_counts_those_that_ended_in_another_way() -> None:
    ended = [Tally(outcome.value, begun_at=0.0, outcome=outcome) for outcome in Outcome]
    line, *_ = progress(reading("account"), *ended).lines(1.0)
    outcomes = "1 of 5 tables done (1 read in part, 1 skipped, 1 failed), 1 in progress"
    assert line.startswith(outcomes)


def test_pause_of_requests_is_in_line_bar_and_summary() -> None:
    throttle = Throttle(1800)
    throttle.pause_all(0.0001)
    run = Progress([reading("account")], throttle, Traffic())
    throttle.wait()
    assert "paused for" in run.lines(30.0)[0]
    assert "paused for" in run.bar(30.0)[1]
    assert "paused for" in run.summary(30.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
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
def test_span_of_a_duration_has_a_unit_for_people(seconds: float, text: str) -> None:
    assert span(seconds) == text


@contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """End a run with its test, and the test if the run hangs."""
    late = Timer(SECONDS, process.kill)
    late.start()
    with process:
        try:
            yield process
        finally:
            late.cancel()
            process.kill()


@in_one_mode
def test_lines_of_a_run_that_waits_appear_nevertheless(
    service: Sandbox, catalog: Message, tmp_path: Path, way: Message
) -> None:
    """The pipe is full, and nobody reads it until a line has the row count."""
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
def test_row_counts_keep_to_max_parallel_requests(
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
def test_line_of_a_run_with_a_bookmark_has_no_row_count(
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
def test_line_of_a_table_with_a_filter_has_no_row_count(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    """The service counts all rows of a table only."""
    service.fault("/accounts", delay_ms=500)
    filtered = Tap({**tap.settings, "filters": {"a*": "statecode eq 0"}}, command=("-c", HASTY))
    run = filtered.sync(catalog=select(catalog, {"account": None}))
    lines = [line for line in run.logged("INFO") if line.startswith("account: ")]
    assert lines
    assert not [line for line in lines if "of about" in line]
    assert not [request for request in service.requests() if COUNT in request["path"]]


@in_one_mode
def test_line_of_tables_that_the_service_does_not_count_has_no_row_count(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.fault(COUNT, status=400, count=None)
    service.fault("/accounts|/contacts", delay_ms=500, count=2)
    hasty = Tap(tap.settings, command=("-c", HASTY))
    run = hasty.sync(catalog=select(catalog, {"account": None, "contact": None}))
    assert not run.logged("WARNING")
    assert [line for line in run.logged("INFO") if "in progress" in line]
    assert not [line for line in run.logged("INFO") if "of about" in line]


@in_one_mode
def test_row_count_next_to_a_table_that_is_not_counted_is_shown(
    service: Sandbox, tap: Tap, catalog: Message, tmp_path: Path
) -> None:
    """The service does not count virtual tables, nor other tables in the same request."""
    service.fault("new_externalorders", delay_ms=2_000)
    hasty = Tap(tap.settings, command=("-c", HASTY))
    chosen = select(catalog, {"account": None, "new_externalorder": None})
    with ending(hasty.start(tmp_path, catalog=chosen)) as process:
        assert any(b"account" in line and b"of about" in line for line in process.stderr or ())
        process.communicate(timeout=SECONDS)
    asked = [request["query"]["@p1"] for request in service.requests() if COUNT in request["path"]]
    assert '["account"]' in asked


def test_short_run_requests_no_row_counts(service: Sandbox, tap: Tap, catalog: Message) -> None:
    tap.sync(catalog=select(catalog, {"account": None}))
    assert not [request for request in service.requests() if COUNT in request["path"]]


def test_last_line_of_a_run_is_its_summary(service: Sandbox, tap: Tap, catalog: Message) -> None:
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
def test_summary_counts_tables_that_are_not_complete(
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
    outcomes = "1 of 4 tables done (1 read in part, 1 skipped, 1 failed)"
    assert outcomes in run.logged("INFO")[-1]


@in_one_mode
def test_run_that_fails_before_it_reads_has_a_summary(
    service: Sandbox, tap: Tap, catalog: Message
) -> None:
    service.fault("/token", status=400, count=None)
    run = tap.run(catalog=choose(catalog, "team"))
    assert run.refusal()
    assert "Sent 0 rows" in run.logged("INFO")[-1]
    assert "0 of 1 table done, 1 request made" in run.logged("INFO")[-1]
