"""Comparison of a warehouse with a Business Central after each run.

- A row that the service has all the time never leaves the warehouse.
- After a run that has read a table, each row of a company that could be read is there, with its
  values, unless it changed while it was read.
- After a version was activated, there are no other rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.central_changes import (
    BLANK,
    CARDS,
    COMPANY,
    LIST,
    SHAPES,
    TABLES,
    changed_at,
    root_of,
)
from tests.simulation.central_way import START
from tests.storms.schedule import INCREMENTAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.simulation.central_changes import Key, Place, Rows
    from tests.simulation.central_events import CentralEvents
    from tests.tap import Message, Run


class Checks:
    """Compares after each run of a history.

    Args:
        history: The history.

    Attributes:
        broken: The rows that fail.
    """

    def __init__(self, history: CentralEvents) -> None:
        self._history = history
        self.broken: set[Place] = set()
        #: Rows that changed since their reading began, by table.
        self._changed: dict[str, set[Key]] = {table: set() for table in [*SHAPES, LIST]}
        #: Tables and companies of which a read has begun that was not complete.
        self._begun: set[tuple[str, str]] = set()
        self._stored: dict[str, Rows] = {}
        self._held: dict[str, Rows] = {}
        #: Every row that was ever at the service.
        self._ever: dict[str, set[Key]] = {table: set() for table in [*SHAPES, LIST]}

    def note(self, table: str, keys: Iterable[Key]) -> None:
        """Note that rows change."""
        self._changed[table] |= {*keys}

    def note_removal(self, company: str) -> None:
        """Note that a company is removed."""
        for table, rows in self._history.rows.items():
            self._ever[table] |= rows.keys()
            self.note(table, [key for key in rows if key[0] == company])

    def before(self) -> None:
        """Note what there is before a run."""
        history = self._history
        companies = {*history.companies.values()}
        for table, keys in self._changed.items():
            self._changed[table] = {key for key in keys if self._place(table, key) in self._begun}
        self._begun |= {(table, each) for table in TABLES for each in companies} | {(LIST, "")}
        self._stored = history.rows
        self._held = {table: self._in_warehouse(table) for table in [*history.way.tables, LIST]}

    def after(self, run: Run, *, is_whole: bool) -> None:
        """Compare after a run.

        Args:
            run: The run.
            is_whole: Whether it has read all that it could.
        """
        history = self._history
        rows = history.rows
        activated = {m["stream"] for m in run.messages if m["type"] == "ACTIVATE_VERSION"}
        for table in history.way.tables:
            self._ever[table] |= rows[table].keys() | self._stored[table].keys()
            context = history.words(run)
            held = self._in_warehouse(table)
            self._check_kept(table, rows, held, context)
            if table in activated or is_whole:
                self._check_values(table, rows, held, context)
            strange = held.keys() - self._ever[table]
            assert not strange, f"{table} has rows that never were: {strange}{context}"
            if table in activated:
                gone = held.keys() - rows[table].keys() - self._changed[table]
                assert not gone, f"{table} has rows that are gone: {gone}{context}"
        if is_whole:
            self._begun -= {(table, each) for table in TABLES for each in history.readable}
            self._begun.discard((LIST, ""))
            names = {key[0]: row["name"] for key, row in self._in_warehouse(LIST).items()}
            companies = {each: name for name, each in history.companies.items()}
            lost = {
                each
                for each, name in companies.items()
                if names.get(each) != name and (each,) not in self._changed[LIST]
            }
            assert not lost, f"companies lacks {lost}{history.words(run)}"

    @staticmethod
    def _place(table: str, key: Key) -> tuple[str, str]:
        """Return the table and the company of a row, as for reads that have begun."""
        return table, "" if table == LIST else key[0]

    def _in_warehouse(self, table: str) -> Rows:
        found = self._history.warehouse.tables.get(table)
        rows = found.current.values() if found is not None else ()
        if table == LIST:
            return {(row["id"],): row for row in rows}
        names = ("company_id", *SHAPES[table].key)
        return {tuple(row[name] for name in names): row for row in rows}

    def _known(self, table: str) -> set[str]:
        """Return the companies that the state names for a table."""
        bookmarks = self._history.warehouse.state.get("bookmarks", {})
        parts = bookmarks.get(table, {}).get("partitions", [])
        return {part["context"]["company_id"] for part in parts}

    def _check_kept(self, table: str, rows: dict[str, Rows], held: Rows, context: str) -> None:
        """Check that no row has left the warehouse that is at the service."""
        history = self._history
        safe = history.readable | self._known(table)
        dropped = {
            key
            for key in self._held[table].keys() - held.keys()
            if key[0] in safe
            and self._is_left(table, self._stored[table].get(key))
            and self._is_left(table, rows[table].get(key))
        }
        assert not dropped, f"{table} lost rows that are at the service: {dropped}{context}"

    def _check_values(self, table: str, rows: dict[str, Rows], held: Rows, context: str) -> None:
        """Check that rows that were read have the values of the service."""
        shape, history = SHAPES[table], self._history
        if table in history.forbidden:
            return
        stale = {}
        for key, row in rows[table].items():
            if key in self._changed[table] or not self._is_expected(table, row, rows):
                continue
            found = held.get(key)
            names = [shape.value, *([shape.group] if shape.group else [])]
            if found is None or any(found[n] != row[n] for n in names if n in found):
                stale[key] = (found, row)
        assert not stale, f"{table} lacks rows or changes: {stale}{context}"

    def _is_left(self, table: str, row: Message | None) -> bool:
        """Return whether a row is at the service, and its filter leaves it."""
        if row is None:
            return False
        group = self._history.filters.get(table)
        return group is None or row[SHAPES[table].group] == group

    def _is_expected(self, table: str, row: Message, rows: dict[str, Rows]) -> bool:
        """Return whether a row has to be in the warehouse."""
        history, way = self._history, self._history.way
        root = root_of(rows, table, row)
        if row[COMPANY] not in history.readable or not self._is_left(table, row):
            return False
        if SHAPES[table].parents and (
            root[0] in history.forbidden or self._is_broken(table, row, rows)
        ):
            return False
        if not (way.has_start and way.method == INCREMENTAL) or table == CARDS:
            return True
        date: Any = changed_at(rows, table, row)
        return date in {"", BLANK} or date >= START

    def _is_broken(self, table: str, row: Message, rows: dict[str, Rows]) -> bool:
        """Return whether a row is read together with one that fails."""
        root = root_of(rows, table, row)
        return any(
            key in rows[name] and root_of(rows, name, rows[name][key]) == root
            for name, key in self.broken
        )
