"""Density of rows: how pages change the estimate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.extract.density import GROWTH, Density

PAGES = st.tuples(st.integers(0, 5_000), st.integers(0, 10**15))


def rate(density: Density) -> float:
    """Rows to a unit of the key."""
    return density.rows / density.units


@given(st.lists(PAGES, max_size=50), PAGES)
def test_page_of_many_rows_increases_the_density_only_a_little(
    before: list[tuple[int, int]], page: tuple[int, int]
) -> None:
    density = Density()
    for rows, units in before:
        density = density.updated(rows, units)
    after = density.updated(*page)
    if density.rows and density.units:
        assert after.units > 0
        assert rate(after) <= rate(density) * GROWTH * 1.001


def test_pages_of_the_same_density_do_not_change_it() -> None:
    density = Density()
    for _ in range(10):
        density = density.updated(5_000, 100)
    assert rate(density) == 50


def test_sparse_page_has_more_effect_than_a_dense_one() -> None:
    usual = Density(5_000, 1_000)
    assert rate(usual.updated(5_000, 100_000)) < rate(usual) / 50
    assert rate(usual.updated(5_000, 10)) == rate(usual) * GROWTH
    assert rate(usual.updated(5_000, 500)) < rate(usual) * 1.6


def test_page_of_one_moment_has_little_effect() -> None:
    usual = Density(5_000, 1_000)
    assert rate(usual.updated(5_000, 0)) == rate(usual) * GROWTH
    assert rate(usual.updated(5_000, 0).updated(5_000, 1_000)) < rate(usual) * 2
