"""Range: a loop of links is found in constant memory."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.extract.range import Range
from tap_dynamics365.odata.page import RawPage


def follow(before: int, length: int) -> int:
    """Follow links, the last of which form a loop, for a while.

    Returns:
        How many were followed until the loop was noticed.
    """
    place = Range()
    for number in range(2 * (before + length) + length + 1):
        link = number if number < before else before + (number - before) % length
        try:
            place.follow(RawPage(b"", [], str(link)))
        except ServiceError:
            return number
    pytest.fail("not noticed")


@given(st.integers(0, 300), st.integers(1, 50))
def test_links_that_form_a_loop_are_found_after_at_most_twice_as_many(
    before: int, length: int
) -> None:
    assert before + length <= follow(before, length)


def test_links_that_were_followed_take_constant_memory() -> None:
    place = Range()
    for number in range(10_000):
        place.follow(RawPage(b"", [], f"https://host.invalid/rows?$skiptoken={number}"))
    kept = [getattr(place, name) for name in place.__slots__]
    assert sum(map(sys.getsizeof, kept)) < 5_000
    assert not place.done
