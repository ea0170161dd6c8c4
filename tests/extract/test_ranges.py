"""Ranges of a table, for any distribution of rows and any order of responses."""

from __future__ import annotations

import datetime as dt
import json
import random
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tap_dynamics365.extract.page import Page, Piece
from tap_dynamics365.extract.ranges import Ranges
from tap_dynamics365.odata.key_scale import EPOCH, Moments, Numbers, Scale
from tap_dynamics365.odata.keyset import Keyset
from tap_dynamics365.odata.page import RawPage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_dynamics365.extract.range import BufferedPage, Range


class Row(NamedTuple):
    """A row: its replication key as a number, and its id."""

    position: int
    number: int


COLUMNS = {"on": {"type": ["string", "null"]}, "id": {"type": ["integer"]}}
KEYSET = Keyset("on", ["id"], COLUMNS)


class Table:
    """Answers queries for pages as the service does: sorted by the key, then by the id."""

    def __init__(self, positions: list[int], page: int, scale: Scale) -> None:
        self.rows = sorted(Row(position, number) for number, position in enumerate(positions))
        self.page = page
        self.scale = scale
        self.asked = 0

    def fetch(self, asked: Range) -> RawPage:
        """Answer for a range, or for the link of one: the rows to leave out."""
        self.asked += 1
        low = asked.low.position if asked.low else None
        rows = [
            row
            for row in self.rows
            if (low is None or row.position >= low)
            and (asked.high is None or row.position < asked.high.position)
        ]
        start = int(asked.link or 0)
        found, more = rows[start : start + self.page], len(rows) > start + self.page
        texts = [
            Raw(msgspec.json.encode({"on": self.scale.literal(row.position), "id": row.number}))
            for row in found
        ]
        link = str(start + self.page) if more else None
        return KEYSET.locate(RawPage(b"".join(texts), texts, link, asked=self.page))

    def read(self, page: Page[bytes]) -> list[Row]:
        """Find the rows of a page."""
        by_number = {row.number: row for row in self.rows}
        return [by_number[json.loads(line)["id"]] for line in page.pieces[0].content.splitlines()]


def decode(buffered: BufferedPage) -> None:
    """Make a page ready to be written."""
    assert buffered.raw is not None
    rows = buffered.raw.rows
    piece = Piece(b"\n".join(map(bytes, rows)), len(rows))
    buffered.set_decoded(Page((piece,), len(piece.content)))


def read(
    table: Table, *, parallel: int, choose: Callable[[int], int], measure: bool = True
) -> list[Row]:
    """Read a table with a number of requests in flight.

    Of those, and of the page that is to be decoded next, `choose` says which is done next.
    """
    ranges = Ranges(table.scale, KEYSET.cut_off)
    in_flight: list[Range] = []
    to_decode: list[BufferedPage] = []
    rows: list[Row] = []
    while not ranges.finished:
        while len(in_flight) < parallel and (asked := ranges.next(parallel)):
            asked.busy = True
            in_flight.append(asked)
        if measure and ranges.needs_max_key:
            ranges.has_max_key = True
            ranges.maximum = table.rows[-1].position
        chosen = choose(len(in_flight) + bool(to_decode))
        if chosen < len(in_flight):
            asked = in_flight.pop(chosen)
            if buffered := ranges.accept(asked, table.fetch(asked)):
                to_decode.append(buffered)
        else:
            decode(to_decode.pop(0))
        while (page := ranges.take()) is not None:
            rows += table.read(page)
    assert not in_flight
    assert not ranges.size
    return rows


ROWS, PAGE = 10_000, 100
POSITIONS = st.one_of(
    st.lists(st.integers(0, 50), max_size=80),
    st.lists(st.integers(0, 10**9), max_size=80),
    # Bulk imports: many rows in one second, far apart from the others.
    st.lists(st.sampled_from([0, 1, 10**6, 10**12]), max_size=80),
)


@given(st.data(), POSITIONS, st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_ranges_give_every_row_once_and_in_order(
    data: st.DataObject,
    positions: list[int],
    page: int,
    parallel: int,
    measure: bool,  # noqa: FBT001 - drawn
) -> None:
    table = Table(positions, page, Numbers)
    rows = read(
        table,
        parallel=parallel,
        choose=lambda count: data.draw(st.integers(0, count - 1)),
        measure=measure,
    )
    assert rows == table.rows


@given(st.lists(st.integers(0, 10**6), max_size=60), st.integers(1, 9), st.integers(1, 9))
def test_ranges_of_moments_end_at_whole_seconds(
    seconds: list[int], page: int, parallel: int
) -> None:
    start = (dt.datetime(2020, 1, 1, tzinfo=dt.UTC) - EPOCH) // dt.timedelta(microseconds=1)
    table = Table([start + second * 1_000_000 for second in seconds], page, Moments)
    rows = read(table, parallel=parallel, choose=lambda count: count - 1)
    assert rows == table.rows


def evenly(rng: random.Random) -> list[int]:
    """Rows of all times."""
    return [rng.randrange(10**6) for _ in range(ROWS)]


def by_imports(rng: random.Random) -> list[int]:
    """Rows of all times, most of which came with others."""
    sizes = [rng.randint(2, PAGE) if rng.random() < 0.05 else 1 for _ in range(ROWS)]
    return [at for size in sizes for at in [rng.randrange(10**6)] * size][:ROWS]


def by_a_migration(rng: random.Random) -> list[int]:
    """Rows of all times, nearly half of them of one."""
    few = [rng.randrange(10**8) for _ in range(ROWS * 6 // 10)]
    return [*few, *(5 * 10**7 + rng.randrange(10**5) for _ in range(ROWS - len(few)))]


def late(rng: random.Random) -> list[int]:
    """Few rows for a long time, then most."""
    few = [rng.randrange(10**8) for _ in range(ROWS * 3 // 10)]
    return [*few, *(10**8 + rng.randrange(10**4) for _ in range(ROWS - len(few)))]


def early(rng: random.Random) -> list[int]:
    """Most rows at once, then few for a long time."""
    many = [rng.randrange(10**4) for _ in range(ROWS * 7 // 10)]
    return [*many, *(10**4 + rng.randrange(10**8) for _ in range(ROWS - len(many)))]


def many_a_moment(_: random.Random) -> list[int]:
    """Rows that share each moment with others."""
    return [number // 40 for number in range(ROWS)]


def with_a_gap(_: random.Random) -> list[int]:
    """Nothing for very long."""
    return [*range(ROWS // 2), *range(10**12, 10**12 + ROWS // 2)]


WAYS = [evenly, by_imports, by_a_migration, late, early, many_a_moment, with_a_gap]


@pytest.mark.parametrize("lie", WAYS)
@pytest.mark.parametrize("choose", [lambda _: 0, lambda count: count - 1], ids=["first", "last"])
def test_ranges_of_any_distribution_cost_few_more_requests(
    lie: Callable[[random.Random], list[int]], choose: Callable[[int], int]
) -> None:
    table = Table(lie(random.Random(0)), PAGE, Numbers)  # noqa: S311 - repeatable by design
    assert read(table, parallel=8, choose=choose) == table.rows
    assert table.asked <= (1.2 if lie is evenly else 1.4) * ROWS / PAGE


@pytest.mark.parametrize("lie", WAYS)
def test_ranges_without_free_requests_cost_nothing(
    lie: Callable[[random.Random], list[int]],
) -> None:
    table = Table(lie(random.Random(0)), PAGE, Numbers)  # noqa: S311 - repeatable by design
    assert read(table, parallel=1, choose=lambda _: 0) == table.rows
    assert table.asked <= 1.05 * ROWS / PAGE


def test_rows_of_one_moment_are_read_link_by_link() -> None:
    table = Table([7] * 1000, 100, Numbers)
    assert read(table, parallel=8, choose=lambda _: 0) == table.rows
    assert table.asked == 10


def test_table_of_one_page_costs_one_request() -> None:
    table = Table(list(range(100)), 100, Numbers)
    assert read(table, parallel=8, choose=lambda _: 0) == table.rows
    assert table.asked == 1


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_moment_converted_to_a_number_and_back_is_the_same(moment: dt.datetime) -> None:
    position = Moments.position(moment.isoformat())
    assert dt.datetime.fromisoformat(Moments.literal(position)) == moment
    assert Moments.edge(position) % 1_000_000 == 0
    assert 0 <= Moments.edge(position) - position < 1_000_000
