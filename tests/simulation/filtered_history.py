"""Histories in which filters of tables are added, changed and removed between runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import rule
from typing_extensions import override

from sandbox.data.guids import sortable
from tests.simulation.history import BY_DATE, BY_NOTHING, BY_VERSION, KEYS, TEXTS, History
from tests.storms.schedule import INCREMENTAL

if TYPE_CHECKING:
    from tests.tap import Message

# A filter is about the first changed column, whose values are GUIDs in random order.
COLUMNS = {table: texts[0] for table, texts in TEXTS.items()}
DIGITS = ["3", "8", "d"]
# GUIDs are sorted by their last digits first.
LITERALS = {
    BY_DATE: "'{}'",
    BY_VERSION: "00000000-0000-0000-0000-{}00000000000",
    BY_NOTHING: "'{}'",
}


class FilteredHistory(History):
    """A history with filters, for methods that support them."""

    @rule(
        table=st.sampled_from([BY_DATE, BY_VERSION, BY_NOTHING]),
        digit=st.sampled_from([*DIGITS, None]),
    )
    def change_filter(self, table: str, digit: str | None) -> None:
        """Give a table another filter, or none, when its rows are older than any lookback."""
        self.run([])
        self.let_time_pass(600)
        filters = {name: text for name, text in self.setup.filters.items() if name != table}
        if digit is not None:
            filters[table] = f"{COLUMNS[table]} lt {LITERALS[table].format(digit)}"
        self.setup = replace(self.setup, filters=filters)

    @override
    def _assert_equal(self, table: str) -> None:
        """Assert that a table of the warehouse equals what its filter leaves of the service."""
        rows = self.service.rows(table)
        left = [row for row in rows if self._is_left(table, row)]
        lost, surplus = self.warehouse.compare(table, KEYS[table], self.columns[table], left)
        assert not lost, f"{table} lacks rows or changes: {lost}\n{self.log}"
        if self.setup.method == INCREMENTAL and table != BY_NOTHING:
            # Neither rows that were deleted nor rows that left the filter are seen.
            surplus -= self.deleted[table] | {row[KEYS[table]] for row in rows}
        assert not surplus, f"{table} has rows that are gone: {surplus}\n{self.log}"

    def _is_left(self, table: str, row: Message) -> bool:
        """Tell whether a row fulfils the filter of its table."""
        if table not in self.setup.filters:
            return True
        *_, literal = self.setup.filters[table].split()
        value: str | None = row[COLUMNS[table]]
        if value is None:
            return False
        if table == BY_VERSION:
            return sortable(value) < sortable(literal)
        return value < literal.strip("'")
