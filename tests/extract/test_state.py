"""What the state says of a table, and how it is changed."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.extract.state import NAMES, NO_BOOKMARK, NULLABLE, TableState

values = st.none() | st.text() | st.integers() | st.booleans()
entries = st.dictionaries(st.sampled_from(sorted(NAMES)) | st.text(), values)


def stated(entry: dict[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing: null, but where it means the beginning of the table."""
    return {
        name: value
        for name, value in entry.items()
        if value is not None or name in NULLABLE or name not in NAMES
    }


@given(entries, st.dictionaries(st.sampled_from(sorted(NAMES)), values))
def test_change_of_any_entry_keeps_all_that_is_not_named(
    entry: dict[str, Any], change: dict[str, Any]
) -> None:
    bookmarks = {"account": entry, "contact": {"version": 1}}
    before = copy.deepcopy(entry)
    TableState(bookmarks, "account").change(**change)
    assert bookmarks == {"account": stated({**before, **change}), "contact": {"version": 1}}
    # Whoever holds the entry of before does not see half of a change.
    assert entry == before


@given(entries)
def test_change_that_takes_the_bookmark_away_leaves_nothing_of_it(entry: dict[str, Any]) -> None:
    bookmarks = {"account": entry}
    TableState(bookmarks, "account").change(**NO_BOOKMARK)
    assert bookmarks["account"].keys().isdisjoint(NO_BOOKMARK)


def test_entry_that_is_not_there_says_nothing() -> None:
    bookmarks: dict[str, dict[str, Any]] = {}
    state = TableState(bookmarks, "account")
    assert state.entry.delta_token is state.entry.version is state.entry.replication_key is None
    assert not bookmarks
