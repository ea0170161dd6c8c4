"""Readings: record batches of one table, or of several side by side."""

from __future__ import annotations

import copy
from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tap_dynamics365.closeable import Closeable
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.extract.engine import Engine
from tap_dynamics365.extract.tally import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    import pyarrow as pa

    from tap_dynamics365.arrow.table import ArrowTable, Take
    from tap_dynamics365.extract.tally import Tally
    from tap_dynamics365.services.kind import Service

    MakeTables = Callable[[dict[str, Any], Take], Sequence[ArrowTable]]
    Step = tuple[ArrowTable, pa.RecordBatch]
    Written = tuple[ArrowTable, pa.RecordBatch | None, dict[str, Any] | None]


class _NoCheckpoints:
    """The consumer of batches saves the state itself."""

    seconds_left = None

    def write_if_due(self) -> None:
        """Do nothing."""


class Batches:
    """Reads tables side by side. The engine works while a batch is asked for.

    Args:
        service: The service.
        read_ahead: Bytes that may be buffered.
        state: The state to continue from.
        make: Makes the tables with the state of the run, and what takes their batches.

    Attributes:
        tables: The tables, in the order in which they begin.
    """

    def __init__(
        self, service: Service, read_ahead: int, state: Mapping[str, Any], make: MakeTables
    ) -> None:
        self._service = service
        self._read_ahead = read_ahead
        run = copy.deepcopy(dict(state))
        self._state = copy.deepcopy(run)
        # Batches that were written and not handed out, each with the state of its table after it.
        self._ready: deque[tuple[ArrowTable, pa.RecordBatch | None, dict[str, Any] | None]] = (
            deque()
        )
        self._ended: list[str] = []
        self.tables = make(run, self._take)
        self._steps = self._run()

    def _take(
        self, table: ArrowTable, batch: pa.RecordBatch | None, entry: dict[str, Any] | None
    ) -> None:
        self._ready.append((table, batch, entry))

    def __iter__(self) -> Iterator[Step]:
        """Return the one pass over the batches."""
        return self._steps

    def _run(self) -> Generator[Step, None, None]:
        # Before the first request for rows, so that a failed sign-in is no failure of a table.
        self._service.client.sign_in()
        sinks = [part for table in self.tables for part in table.parts.all]
        engine = Engine(self._service.client.concurrency, _NoCheckpoints(), self._read_ahead)
        with closing(engine.steps(sinks)) as steps:
            for _ in steps:
                yield from self._hand_out()
        yield from self._hand_out()

    def _hand_out(self) -> Iterator[Step]:
        while self._ready:
            table, batch, entry = self._ready.popleft()
            if entry is not None:
                bookmarks = self._state.get("bookmarks") or {}
                self._state = {**self._state, "bookmarks": {**bookmarks, table.name: entry}}
            if batch is not None:
                yield table, batch
            has_more = any(other is table for other, _, _ in self._ready)
            if table.tally.outcome is not None and not has_more:
                self._ended.append(table.name)

    def take_ended(self) -> list[str]:
        """Return the tables that have ended since the last call.

        All their batches were handed out, and the state has what their end has changed.
        """
        ended, self._ended = self._ended, []
        return ended

    @property
    def state(self) -> dict[str, Any]:
        """The state that covers exactly the batches that were handed out."""
        return copy.deepcopy(self._state)

    def close(self) -> None:
        """End the threads. Batches that were not taken are dropped."""
        self._steps.close()
        self._ready.clear()


class TableReading:
    """What is known of a table while it is read, and after that.

    Args:
        table: The table.
    """

    def __init__(self, table: ArrowTable) -> None:
        self._table = table

    @property
    def tally(self) -> Tally:
        """How far the reading is."""
        return self._table.tally

    @property
    def table(self) -> str:
        """The name of the table."""
        return self._table.name

    @property
    def schema(self) -> pa.Schema:
        """The schema of the batches."""
        return self._table.schema

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a row; empty if the table has no key."""
        return self._table.key

    @property
    def method(self) -> str:
        """The replication method: `INCREMENTAL`, `FULL_TABLE` or `LOG_BASED`."""
        return self._table.method

    @property
    def version(self) -> int | None:
        """The table version of the rows; None if they have none.

        A reading that continues an interrupted one has its version. Known from the first batch on.
        """
        return self._table.version

    @property
    def rows(self) -> int:
        """How many rows were read. Some of them may not be handed out yet."""
        return self._table.tally.rows

    @property
    def outcome(self) -> Outcome | None:
        """How the table ended; None before its end, or if the reading was closed early.

        `DONE`; `IN_PART` if the settings ended it, or some rows can't be read; `SKIPPED` if the
        service does not let the table be read; `FAILED`.
        """
        return self._table.tally.outcome

    @property
    def is_cut_short(self) -> bool:
        """Whether the settings ended it before its last row. Another reading goes on from there."""
        return self._table.parts.are_cut_short

    @property
    def replaces_table(self) -> bool:
        """Whether rows that came in no reading of this version were deleted.

        True once the reading has ended, and all rows of the table came: the consumer may drop the
        others. It is what ACTIVATE_VERSION tells a Singer target.
        """
        return self._table.replaces_table

    @property
    def error(self) -> ServiceError | None:
        """Why the table failed, or why the service does not let it be read; None otherwise."""
        return self._table.error or self._table.refusal

    @property
    def missing(self) -> ServiceError | None:
        """Why some rows did not come, if the outcome is `IN_PART`; None otherwise."""
        return self._table.missing


class PartitionReading(Closeable, TableReading):
    """The record batches of one partition of a table, or of a whole table, each one a page.

    Take the batches in one `for` loop; leaving it ends the reading. Between two batches, no more is
    read ahead than the setting `read_ahead_mb` allows.

    Args:
        batches: Reads the table.
    """

    def __init__(self, batches: Batches) -> None:
        (table,) = batches.tables
        super().__init__(table)
        self._batches = batches

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches. A loop that is left early ends the reading.

        Raises:
            ServiceError: The table failed, after the batches that came before, or the service does
                not let it be read.
            SignInError: The sign-in host gave no token.
        """
        with closing(self):
            for _, batch in self._batches:
                yield batch
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """End the reading, with its threads."""
        self._batches.close()


class Reading(PartitionReading):
    """The record batches of one table, each one a page, with the state after each.

    Example:
        >>> reading = source.read("account", columns=["accountid", "name"], state=state)
        >>> for batch in reading:
        ...     write(batch)
        ...     save(reading.state)
    """

    @property
    def state(self) -> dict[str, Any]:
        """The Singer state that covers exactly the batches that were handed out.

        Save it once you have stored them. The next reading, or the tap, continues from it.
        """
        return self._batches.state


class Readings(Closeable):
    """The record batches of several tables, which one engine reads side by side as the tap does.

    Example:
        >>> with source.read_tables([TableRequest("account"), TableRequest("contact")]) as readings:
        ...     for table, batch in readings:
        ...         write(table, batch)
        ...         save(readings.state)

    Args:
        batches: Reads the tables.

    Attributes:
        by_table: What is known of each table, such as its schema, and how it ended.
    """

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self.by_table = {table.name: TableReading(table) for table in batches.tables}

    def __iter__(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield the batches, each with its table. A loop that is left early ends the readings.

        Raises:
            ServiceError: Tables failed, or the service lets none of them be read. The other tables
                were read to their end.
            SignInError: The sign-in host gave no token.
        """
        with closing(self):
            for table, batch in self._batches:
                yield table.name, batch
        found = self.by_table.values()
        if failed := [each for each in found if each.outcome is Outcome.FAILED]:
            names = ", ".join(each.table for each in failed)
            msg = (
                f"{len(failed)} of {len(found)} tables failed: {names}. The state of everything "
                f"that was handed out is valid. {failed[0].error}"
            )
            raise ServiceError(msg)
        if found and all(each.outcome is Outcome.SKIPPED for each in found):
            msg = "None of the tables can be read. The warnings in the log say why."
            raise ServiceError(msg)

    def take_ended(self) -> list[str]:
        """Return the tables that have ended since the last call.

        All their batches were handed out, and the state has what their end has changed.
        """
        return self._batches.take_ended()

    def close(self) -> None:
        """End the readings, with their threads."""
        self._batches.close()

    @property
    def state(self) -> dict[str, Any]:
        """The Singer state that covers exactly the batches that were handed out."""
        return self._batches.state
