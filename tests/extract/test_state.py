"""Table state: its entry, and how it changes."""

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
def test_change_of_any_entry_keeps_other_values(
    entry: dict[str, Any], change: dict[str, Any]
) -> None:
    state = {"bookmarks": {"account": entry, "contact": {"version": 1}}}
    before = copy.deepcopy(entry)
    TableState(state, "account").change(**change)
    changed = stated({**before, **change})
    assert state == {"bookmarks": {"account": changed, "contact": {"version": 1}}}
    # Whoever holds the entry of before does not see half of a change.
    assert entry == before


@given(entries)
def test_change_that_removes_the_bookmark_leaves_nothing_of_it(entry: dict[str, Any]) -> None:
    state = {"bookmarks": {"account": entry}}
    TableState(state, "account").change(**NO_BOOKMARK)
    assert state["bookmarks"]["account"].keys().isdisjoint(NO_BOOKMARK)


def test_entry_that_is_missing_has_no_values() -> None:
    state: dict[str, Any] = {}
    entry = TableState(state, "account").entry
    assert entry.delta_token is entry.version is entry.replication_key is None
    assert not state
