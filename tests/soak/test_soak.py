"""A short soak test: what `make soak` does with tens of millions of rows."""

from __future__ import annotations

from soak.__main__ import faults, soak

# As many pages as 150,000 rows have in pages of 2,000.
ROWS = 37_500


def test_soak_under_all_faults_reads_every_row() -> None:
    # The soak test itself checks that each row comes once and in order, and the memory.
    figures = soak(ROWS, fetch_size=500)
    assert figures.rows == ROWS
    assert min(figures.hits[kind] for kind in [*faults(), "token expired"]) >= 1
    assert figures.waits > 0
