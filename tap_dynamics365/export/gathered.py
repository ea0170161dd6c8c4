"""Gathered rows: what has arrived of a table since its last commit."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from tap_dynamics365.export.destination import Commit, Load
from tap_dynamics365.export.latest_rows import latest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.export.destination import ExportedTable, Progress


class Gathered:
    """The rows of a table that are not committed yet, and how far the table is read with them.

    Args:
        table: The table.
        progress: How far the table was exported before; None if it is exported from its beginning.
        reads_all: Whether every run reads all rows.

    Attributes:
        table: As given.
        size: The bytes of the rows.
        since: When the first of them arrived, by `time.monotonic`; None if there are none.
    """

    def __init__(self, table: ExportedTable, progress: Progress | None, *, reads_all: bool) -> None:
        self.table = table
        self.size = 0
        self.since: float | None = None
        self._batches: list[pa.RecordBatch] = []
        self._bookmark: bytes = msgspec.json.encode(progress.bookmark if progress else {})
        self._version = progress.bookmark.get("version") if progress else None
        self._load: Load | None = None
        if progress is None or (reads_all and progress.load is None):
            self._load = _new_load()
        elif progress.load is not None:
            # Without a key, the rows that were committed can't be told from those that come again.
            self._load = Load(progress.load) if table.key else _new_load(after=progress.load)

    def begins_version(self, bookmark: Mapping[str, Any]) -> bool:
        """Tell whether the rows to come begin a load, because they have another table version.

        What was gathered before has to be committed first.

        Args:
            bookmark: The entry of the table in the Singer state after the rows to come.
        """
        version = bookmark.get("version")
        is_other = version is not None and version != self._version
        self._version = version
        has_begun = self._load is None or not self._load.begins or self.size > 0
        return is_other and has_begun

    def begin_load(self) -> None:
        """Let the rows to come begin a load."""
        self._load = _new_load(after=self._load.number if self._load is not None else 0)

    def add(self, batch: pa.RecordBatch, bookmark: Mapping[str, Any]) -> None:
        """Add rows.

        Args:
            batch: The rows.
            bookmark: The entry of the table in the Singer state after them. It is copied, because
                it keeps changing.
        """
        if self.since is None:
            self.since = time.monotonic()
        self._batches.append(batch)
        self.size += batch.nbytes
        self._bookmark = msgspec.json.encode(bookmark)

    def advance(self, bookmark: Mapping[str, Any]) -> None:
        """Note how far the table is read, without rows.

        Args:
            bookmark: The entry of the table in the Singer state.
        """
        self._bookmark = msgspec.json.encode(bookmark)

    def take(self) -> Commit:
        """Return the rows as a commit, and forget them."""
        return self._commit(self._load)

    def end(self, bookmark: Mapping[str, Any], *, replaces: bool) -> Commit:
        """Return the last commit of a table that was read to its end.

        Args:
            bookmark: The entry of the table in the Singer state.
            replaces: Whether rows that a read of all rows did not have are gone from the service.
        """
        self._bookmark = msgspec.json.encode(bookmark)
        load = self._load
        if load is not None:
            load = replace(load, ends=True, replaces=replaces)
        commit = self._commit(load)
        self._load = None
        return commit

    def _commit(self, load: Load | None) -> Commit:
        rows = pa.Table.from_batches(self._batches, self.table.schema)
        self._batches, self.size, self.since = [], 0, None
        if self._load is not None:
            self._load = replace(self._load, begins=False)
        bookmark = msgspec.json.decode(self._bookmark)
        return Commit(self.table, latest(rows, self.table.key), bookmark, load)


def _new_load(after: int = 0) -> Load:
    return Load(max(time.time_ns() // 1_000_000, after + 1), begins=True)
