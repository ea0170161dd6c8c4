"""Export: reads tables as record batches, and commits them to a destination with their progress."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tap_dynamics365.errors import Dynamics365Error, InputError
from tap_dynamics365.export.destination import DestinationError, ExportedTable
from tap_dynamics365.export.gathered import Gathered
from tap_dynamics365.export.interruption import Interruption
from tap_dynamics365.export.writer import Writer
from tap_dynamics365.extract.read import FULL_TABLE
from tap_dynamics365.extract.tally import Outcome
from tap_dynamics365.services.table_schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_dynamics365.arrow import Described, Readings, TableReading
    from tap_dynamics365.export.destination import Commit, Destination, Progress
    from tap_dynamics365.export.state_out import StateFile

#: Seconds after which rows are committed even if they are few.
SECONDS: Final = 300.0

logger = logging.getLogger("tap-dynamics365.export")


@dataclass
class Result:
    """How an export ended.

    Attributes:
        failed: The tables that failed.
        stopped_by: The signal that ended it; None if there was none.
        error: What ended the reading of all tables, if something did.
    """

    failed: list[str] = field(default_factory=list)
    stopped_by: int | None = None
    error: Dynamics365Error | None = None


def exported_table(described: Described, reading: TableReading, origin: str) -> ExportedTable:
    """Return what a destination has to know of a table.

    Args:
        described: The table and its definition.
        reading: How it is read.
        origin: The environment of the rows.
    """
    table, definition = described
    properties = json_schema(table, definition)["properties"]
    return ExportedTable(table.name, reading.schema, reading.key, properties, origin)


class Export:
    """One run of an export.

    Args:
        destination: Where the rows go.
        readings: Reads the tables.
        tables: The tables that are read.
        progress: How far the destination has them; empty to begin again.
        origin: The environment of the rows.
        most_bytes: The bytes of rows that may be gathered before they are committed.
        state_out: Gets the Singer state of everything that is committed, if one is wanted.
    """

    def __init__(  # noqa: PLR0913 - what an export consists of
        self,
        destination: Destination,
        readings: Readings,
        tables: Sequence[Described],
        progress: Mapping[str, Progress],
        *,
        origin: str,
        most_bytes: int,
        state_out: StateFile | None = None,
    ) -> None:
        self._readings = readings
        self._most_bytes = most_bytes
        self._state_out = state_out
        self._writer = Writer(destination, self._committed)
        if state_out is not None:
            state_out.add({name: each.bookmark for name, each in progress.items()})
        self._tables: dict[str, Gathered] = {}
        for described in tables:
            name = described.table.name
            reading = readings.by_table[name]
            self._tables[name] = Gathered(
                exported_table(described, reading, origin),
                progress.get(name),
                reads_all=reading.method == FULL_TABLE,
            )

    def run(self) -> Result:
        """Export the tables to their end, or until a signal arrives.

        Returns:
            How it ended. Everything that arrived is committed.

        Raises:
            DestinationError: The destination can't be written. What was committed before stays.
            InputError: The file for the state can't be written.
        """
        result = Result()
        try:
            with Interruption() as interruption:
                try:
                    for name, batch in interruption.until(iter(self._readings)):
                        self._take_in(name, batch)
                        self._end(self._readings.take_ended())
                except (DestinationError, InputError):
                    raise
                except Dynamics365Error as error:
                    result.error = error
                self._end(self._readings.take_ended())
                for table in self._tables.values():
                    self._commit(table)
                self._writer.wait()
                result.stopped_by = interruption.number
        finally:
            self._readings.close()
            self._writer.close()
        for name, refusal in self._writer.refused.items():
            logger.error("%s", refusal.message)
            self._readings.by_table[name].tally.outcome = Outcome.FAILED
        outcomes = {name: each.outcome for name, each in self._readings.by_table.items()}
        result.failed = [name for name, each in outcomes.items() if each is Outcome.FAILED]
        return result

    def _take_in(self, name: str, batch: Any) -> None:  # noqa: ANN401 - pyarrow has no types
        """Gather a batch, and commit what is due."""
        table = self._tables[name]
        bookmark = self._bookmark(name)
        if table.begins_version(bookmark):
            self._commit(table)
            table.begin_load()
        table.add(batch, bookmark)
        while sum(each.size for each in self._tables.values()) > self._most_bytes:
            self._commit(max(self._tables.values(), key=lambda each: each.size))
        for each in self._tables.values():
            if each.since is not None and time.monotonic() - each.since > SECONDS:
                self._commit(each)

    def _commit(self, table: Gathered) -> None:
        if table.size:
            self._writer.write(table.take())

    def _end(self, names: Iterable[str]) -> None:
        """Commit tables that were read to their end."""
        for name in names:
            table, reading = self._tables[name], self._readings.by_table[name]
            bookmark = self._bookmark(name)
            is_read = reading.outcome is Outcome.DONE or (
                # Rows that can't be read, such as those of a denied company, are no reason to go on
                # with the same load: it would never end.
                reading.outcome is Outcome.IN_PART and not _goes_on(reading, bookmark)
            )
            if is_read:
                # Rows without a version are all there is, if they are a load.
                is_whole = reading.replaces_table or reading.version is None
                replaces = is_whole and reading.outcome is Outcome.DONE
                self._writer.write(table.end(bookmark, replaces=replaces))
            elif reading.outcome is not Outcome.SKIPPED:
                table.advance(bookmark)
                self._commit(table)

    def _bookmark(self, name: str) -> dict[str, Any]:
        """Return the entry of a table in the Singer state."""
        bookmarks: dict[str, dict[str, Any]] = self._readings.state.get("bookmarks", {})
        return bookmarks.get(name) or {}

    def _committed(self, commit: Commit) -> None:
        """Note that rows are durable."""
        if self._state_out is not None:
            self._state_out.add({commit.table.name: commit.bookmark})


def _goes_on(reading: TableReading, bookmark: Mapping[str, Any]) -> bool:
    """Tell whether the next run goes on where the settings ended a read."""
    entries = (bookmark, *bookmark.get("partitions", ()))
    is_kept = reading.method != FULL_TABLE or any(entry.get("full_table") for entry in entries)
    return reading.is_cut_short and is_kept
