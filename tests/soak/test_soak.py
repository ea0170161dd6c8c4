"""A short soak test: what `make soak` does with tens of millions of rows."""

from __future__ import annotations

from soak.__main__ import faults, soak

ROWS = 150_000


def test_soak_under_all_faults_reads_every_row() -> None:
    # The soak test itself checks that each row comes once and in order, and the memory.
    figures = soak(ROWS, fetch_size=2_000)
    assert figures.rows == ROWS
    assert min(figures.hits[kind] for kind in [*faults(), "token expired"]) >= 1
    assert figures.waits > 0
