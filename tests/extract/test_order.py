"""Order check: the fast check finds the same as a slow one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tap_dynamics365.extract.order import inspect_keys
from tap_dynamics365.odata import key_scale as keys
from tap_dynamics365.odata.key_scale import Days, Moments, Numbers, Scale

START = datetime(2024, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 10**9).map(
    lambda us: (START + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")
)
SECONDS = st.integers(0, 100).map(
    lambda s: (START + timedelta(seconds=s)).isoformat().replace("+00:00", "Z")
)
ELSEWHERE = st.tuples(SECONDS, st.sampled_from(["Z", "+01:00", "-02:00"])).map(
    lambda pair: pair[0].replace("Z", pair[1])
)
ODD = st.sampled_from([None, "", "?", "2024-01-01T24:30:00Z", "12024-01-01T00:00:00Z", 7, 1.5, []])
DATES: dict[Any, st.SearchStrategy[Any]] = {
    Moments: st.one_of(SECONDS, MOMENTS, ELSEWHERE, ODD),
    Days: st.one_of(st.dates().map(str), ODD),
    Numbers: st.one_of(st.integers(), st.sampled_from([None, "", "12", "x", 1.5, True])),
}


def expected(values: list[Any], scale: Scale) -> tuple[Any, ...]:
    """What is so of some values, found in the plainest way."""
    known = [(at, value) for value in values if (at := keys.position(scale, value)) is not None]
    positions = [at for at, _ in known]
    nulls = [value for value in values if value is None or value == ""]
    return (
        min(positions, default=None),
        known[-1] if known else (None, None),
        positions == sorted(positions),
        len(known) + len(nulls) < len(values),
    )


@given(st.data(), st.sampled_from([Moments, Days, Numbers]), st.booleans())
def test_inspect_keys_of_any_values_describes_them(
    data: st.DataObject,
    scale: Scale,
    sort: bool,  # noqa: FBT001 - drawn
) -> None:
    values = data.draw(st.lists(DATES[scale], max_size=12))
    if sort:
        values.sort(key=lambda value: keys.position(scale, value) or 0)
    found = inspect_keys([Raw(json.dumps(value)) for value in values], scale)
    least, (greatest, last), in_order, unread = expected(values, scale)
    assert (found.least, found.greatest, found.last) == (least, greatest, last)
    assert (found.out_of_order is None) is in_order
    assert (found.unreadable is not None) is unread


@given(st.lists(SECONDS, min_size=1, max_size=50))
def test_inspect_keys_of_moments_finds_each_one_out_of_order(values: list[str]) -> None:
    found = inspect_keys([Raw(json.dumps(value)) for value in values], Moments)
    assert (found.out_of_order is None) is (values == sorted(values))


def test_year_of_five_digits_has_no_place_in_the_order() -> None:
    values = ["2024-01-01T00:00:00.12Z", "12024-01-01T00:00:00.1Z", "2024-01-02T00:00:00.12Z"]
    found = inspect_keys([Raw(json.dumps(value)) for value in values], Moments)
    assert found.out_of_order is None
    assert found.unreadable == '"12024-01-01T00:00:00.1Z"'
    assert found.last == "2024-01-02T00:00:00.12Z"
