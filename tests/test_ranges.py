"""The ranges of a table, however its rows lie and whichever request is answered first."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.ranges import Range, Ranges
from tap_dynamics365.records.page import Page, Piece
from tap_dynamics365.replication.keys import EPOCH, Moments, Numbers, Scale

if TYPE_CHECKING:
    from collections.abc import Callable


class Row(NamedTuple):
    """A row: its replication key as a number, and what tells it apart."""

    position: int
    number: int


class Table:
    """Answers queries for pages as the service does: sorted by the key, then by the id."""

    def __init__(self, positions: list[int], page: int, scale: Scale) -> None:
        self.rows = sorted(Row(position, number) for number, position in enumerate(positions))
        self.page = page
        self.scale = scale
        self.asked = 0

    def fetch(self, asked: Range) -> Page:
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
        before = [row for row in found if row.position < found[-1].position]
        parts = (before, found[len(before) :])
        return Page(
            pieces=tuple(self._piece(part) for part in parts if part),
            rows=len(found),
            sent=len(found),
            size=len(found),
            first=self.scale.literal(found[0].position) if found else None,
            last=self.scale.literal(found[-1].position) if found else None,
            next_link=str(start + self.page) if more else None,
            before_last=1 if before else 0,
        )

    def _piece(self, part: list[Row]) -> Piece:
        numbers = b" ".join(b"%d" % row.number for row in part)
        return Piece(numbers, len(part), self.scale.literal(part[-1].position))

    def written(self, page: Page) -> list[Row]:
        """Find the rows of a page."""
        by_number = {row.number: row for row in self.rows}
        return [by_number[int(n)] for piece in page.pieces for n in piece.lines.split()]


def read(
    table: Table, *, parallel: int, choose: Callable[[int], int], measure: bool = True
) -> list[Row]:
    """Read a table with so many requests in flight; `choose` says which is answered next."""
    ranges = Ranges(table.scale, parallel)
    in_flight: list[Range] = []
    rows: list[Row] = []
    while not ranges.finished:
        while len(in_flight) < parallel and (asked := ranges.next()):
            asked.busy = True
            in_flight.append(asked)
        if measure and ranges.wants_measure:
            ranges.measured = True
            ranges.maximum = table.rows[-1].position
        asked = in_flight.pop(choose(len(in_flight)))
        ranges.accept(asked, table.fetch(asked))
        for ready in ranges.take():
            rows += table.written(ready)
    assert not in_flight
    return rows


POSITIONS = st.one_of(
    st.lists(st.integers(0, 50), max_size=80),
    st.lists(st.integers(0, 10**9), max_size=80),
    # Bulk imports: many rows in one second, far apart from the others.
    st.lists(st.sampled_from([0, 1, 10**6, 10**12]), max_size=80),
)


@given(st.data(), POSITIONS, st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_every_row_comes_once_and_in_order(
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
def test_moments_are_divided_at_whole_seconds(seconds: list[int], page: int, parallel: int) -> None:
    start = (dt.datetime(2020, 1, 1, tzinfo=dt.UTC) - EPOCH) // dt.timedelta(microseconds=1)
    table = Table([start + second * 1_000_000 for second in seconds], page, Moments)
    rows = read(table, parallel=parallel, choose=lambda count: count - 1)
    assert rows == table.rows


@pytest.mark.parametrize("rows_a_second", [1, 3, 40])
def test_division_costs_few_requests_more(rows_a_second: int) -> None:
    table = Table([number // rows_a_second for number in range(10_000)], 100, Numbers)
    assert read(table, parallel=8, choose=lambda _: 0) == table.rows
    assert table.asked <= 1.4 * 100


def test_gaps_of_years_cost_few_requests() -> None:
    table = Table([*range(1000), *range(10**12, 10**12 + 1000)], 100, Numbers)
    assert read(table, parallel=8, choose=lambda _: 0) == table.rows
    assert table.asked <= 80


def test_one_moment_for_all_rows_is_read_link_by_link() -> None:
    table = Table([7] * 1000, 100, Numbers)
    assert read(table, parallel=8, choose=lambda _: 0) == table.rows
    assert table.asked == 10


def test_a_table_of_one_page_costs_one_request() -> None:
    table = Table(list(range(100)), 100, Numbers)
    assert read(table, parallel=8, choose=lambda _: 0) == table.rows
    assert table.asked == 1


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_a_moment_and_its_number_are_the_same(moment: dt.datetime) -> None:
    position = Moments.position(moment.isoformat())
    assert dt.datetime.fromisoformat(Moments.literal(position)) == moment
    assert Moments.edge(position) % 1_000_000 == 0
    assert 0 <= Moments.edge(position) - position < 1_000_000
