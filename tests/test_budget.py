"""What a load may cost, in units that are the same on every machine: requests, bytes, steps.

How fast the tap is `make bench` measures; this keeps it from growing slow unnoticed.
"""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import client
from tap_dynamics365.odata.page import split
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.singer.encoder import Encoder
from tests.singer.test_encoder import answer
from tests.tap import Message, Run, Tap, reads, select

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from sandbox.client import Sandbox

ROWS, PAGE = 8_000, 200
PAGES = math.ceil(ROWS / PAGE)
IN_FLIGHT = 8
# What a table read side by side may cost more than one read page by page.
EXTRA = 1.4


@pytest.fixture(scope="module")
def large() -> Iterator[Sandbox]:
    """A Dynamics 365 with one table of many pages."""
    with client.running(rows=50, sizes={"account": ROWS}) as running:
        running.configure(compress=False)
        yield running


@pytest.fixture(scope="module")
def found(large: Sandbox) -> Message:
    """Its catalog."""
    return Tap({**large.settings}).discover()


def sync(
    service: Sandbox, catalog: Message, in_flight: int, state: Message | None = None
) -> tuple[Run, list[Message]]:
    """Sync what is selected; give the run and its requests for rows."""
    tap = Tap({**service.settings, "fetch_size": PAGE, "max_parallel_requests": in_flight})
    service.clear_requests()
    run = tap.sync(catalog=catalog, state=state)
    return run, reads(service.requests())


def size(log: list[Message]) -> int:
    """The bytes of the answers."""
    return sum(int(request["bytes"]) for request in log)


def test_page_by_page_it_makes_one_request_a_page(large: Sandbox, found: Message) -> None:
    run, log = sync(large, select(found, {"account": None}), 1)
    assert run.counts == {"account": ROWS}
    assert len(log) == PAGES


def test_side_by_side_it_reads_little_more(large: Sandbox, found: Message) -> None:
    chosen = select(found, {"account": None})
    _, one_by_one = sync(large, chosen, 1)
    run, side_by_side = sync(large, chosen, IN_FLIGHT)
    assert len({record["accountid"] for record in run.records("account")}) == ROWS
    assert size(side_by_side) <= size(one_by_one) * EXTRA


def test_side_by_side_it_makes_few_requests_more(large: Sandbox, found: Message) -> None:
    # Ranges are guessed from the rows before them: some hold little, some a little too much. How
    # good the guess is depends on which answers are there by then, so one run may be unlucky. What
    # does not depend on that is held closer in extract/test_ranges.py.
    chosen = select(found, {"account": None})
    made = [len(sync(large, chosen, IN_FLIGHT)[1]) for _ in range(3)]
    assert min(made) <= 1.3 * PAGES
    assert max(made) <= 1.5 * PAGES


@pytest.mark.parametrize("in_flight", [1, IN_FLIGHT])
def test_it_asks_for_no_more_columns_than_are_selected(
    large: Sandbox, found: Message, in_flight: int
) -> None:
    run, log = sync(large, select(found, {"account": ["name"]}), in_flight)
    needed = sum(
        len(json.dumps(record, ensure_ascii=False).encode()) for record in run.records("account")
    )
    # Each row brings its etag, each page a context and a link.
    around = ROWS * len('"@odata.etag":"W/\\"1000000\\"",') + len(log) * 2_000
    assert size(log) <= (needed + around) * (1 if in_flight == 1 else EXTRA)


@pytest.mark.parametrize("in_flight", [1, IN_FLIGHT])
def test_where_nothing_is_new_it_makes_one_request_a_table(
    large: Sandbox, found: Message, in_flight: int
) -> None:
    chosen = select(found, {"account": ["name"], "contact": None, "systemuser": None})
    first, _ = sync(large, chosen, in_flight)
    _, log = sync(large, chosen, in_flight, first.state)
    assert len(log) == len(first.counts)


def steps(work: Any) -> int:  # noqa: ANN401 - a function without arguments
    """Count the interpreter's steps: what runs below it, in C, is one."""
    count = 0

    def step(frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401 - itself
        nonlocal count
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        count += event == "opcode"
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def page(rows: int, columns: int) -> tuple[Encoder, bytes]:
    """Make a page of texts, numbers and nulls, and what reads it."""
    kinds: list[tuple[str, object]] = [("string", "text"), ("number", 1.5), ("string", None)]
    chosen = {f"c{number}": kinds[number % len(kinds)] for number in range(columns)}
    schema = {"properties": {name: {"type": [kind, "null"]} for name, (kind, _) in chosen.items()}}
    row = {name: value for name, (_, value) in chosen.items()}
    return Encoder("table", schema, lambda _: True, key="c0"), json.dumps(
        {"value": [row] * rows}
    ).encode()


def test_a_row_takes_few_steps_however_many_columns_it_has() -> None:
    few, many = 1_000, 3_000

    def taken(rows: int, columns: int) -> int:
        codec, body = page(rows, columns)
        return steps(lambda: codec.page(split(answer(body), DATAVERSE.dialect)))

    narrow = (taken(many, 6) - taken(few, 6)) / (many - few)
    wide = (taken(many, 120) - taken(few, 120)) / (many - few)
    assert 0 < narrow < 30
    assert wide < narrow + 1
