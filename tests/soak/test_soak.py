"""A small soak: what `make soak` does for tens of millions of rows."""

from __future__ import annotations

from soak.__main__ import faults, soak

ROWS = 200_000


def test_every_row_comes_whatever_goes_wrong() -> None:
    # That they came, once each and in order, and in how much memory, is checked on the way.
    figures = soak(ROWS, fetch_size=2_000)
    assert figures.rows == ROWS
    assert min(figures.hits[kind] for kind in [*faults(), "token expired"]) >= 1
    assert figures.waits > 0
