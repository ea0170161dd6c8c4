"""Engine: reads many tables at the same time, and writes their rows in order.

Threads fetch pages, and one thread decodes them. Only the main thread decides what to ask for,
writes rows and moves bookmarks. The rows of one table are written in order; tables take turns.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_dynamics365.errors import ServiceError, UnsortedError, failure_of_table
from tap_dynamics365.extract.pool import Pool
from tap_dynamics365.extract.ranges import Ranges
from tap_dynamics365.odata.key_scale import position

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from tap_dynamics365.extract.page import Page
    from tap_dynamics365.extract.range import BufferedPage, Range
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.sink import Checkpoints, TableSink
    from tap_dynamics365.http.concurrency import ConcurrencyLimit
    from tap_dynamics365.odata.page import RawPage, Value

logger = logging.getLogger("tap-dynamics365.engine")


class _Task:
    """A table that is being read.

    Args:
        sink: Where its rows go.
    """

    def __init__(self, sink: TableSink) -> None:
        self.sink = sink
        self.reader = sink.reader
        self.finished = False
        self.read: TableRead | None = None
        self.ranges = Ranges(None)
        self._reads = self.reader.reads()

    def _begin(self, read: TableRead | None) -> None:
        self.read = read
        if read is None:
            self.ranges = Ranges(None)
            return
        keyset, may_be_divided = read.keyset, self.reader.may_be_divided
        self.ranges = Ranges(
            read.scale if may_be_divided else None,
            keyset.cut_off if keyset is not None else None,
            read.first_ranges(),
            in_order=not read.is_resumable,
            shared_value=read.shared_value if may_be_divided else None,
        )

    def is_reading(self, ranges: Ranges) -> bool:
        """Tell whether responses for a read are still needed: the read may have failed.

        Args:
            ranges: The ranges of the read.
        """
        return not self.finished and self.ranges is ranges

    def begin_next(self, error: ServiceError | None = None) -> bool:
        """Begin the next read of the table.

        Args:
            error: What ended the read before, if it failed.

        Returns:
            Whether there is a next read.

        Raises:
            ServiceError: The table failed.
        """
        if error is None:
            self._begin(next(self._reads, None))
        else:
            self._begin(self.reader.fallback(self._reads, error))
        return self.read is not None


class Engine:
    """Reads tables and writes their rows to sinks.

    Args:
        concurrency: How many requests may be in flight.
        checkpoints: Saves the state.
        read_ahead: Bytes that may be buffered before they are written.
    """

    def __init__(
        self, concurrency: ConcurrencyLimit, checkpoints: Checkpoints, read_ahead: int
    ) -> None:
        self._concurrency = concurrency
        self._checkpoints = checkpoints
        self._read_ahead = read_ahead
        self._pool = Pool()
        self._waiting: deque[TableSink] = deque()
        self._tasks: list[_Task] = []
        self._page_size = 0
        self._failed: list[TableSink] = []

    def run(self, sinks: Iterable[TableSink]) -> list[TableSink]:
        """Read all tables to their end.

        Args:
            sinks: Where the rows of each table go, in the order in which tables begin.

        Returns:
            The sinks of the tables that failed. The other tables were read.
        """
        for _ in self.steps(sinks):
            pass
        return self._failed

    def steps(self, sinks: Iterable[TableSink]) -> Generator[None, None, None]:
        """Read all tables to their end, in steps that whoever takes the rows asks for.

        Between two steps, only the requests in flight go on. So the rows that nobody takes stay
        within the read-ahead. To close the generator ends the threads.

        Args:
            sinks: Where the rows of each table go, in the order in which tables begin.

        Yields:
            After each step. Mostly, one page was written in it.
        """
        self._waiting.extend(sinks)
        try:
            while True:
                # The next requests are sent before a page is written.
                self._fill_pipeline()
                yield
                if not self._write():
                    if not self._pool.pending:
                        return
                    self._pool.hand_over(self._checkpoints.seconds_left)
                while self._pool.has_results:
                    self._pool.hand_over()
                self._checkpoints.write_if_due()
        finally:
            self._pool.close()

    def _fill_pipeline(self) -> None:
        """Send as many requests as may be in flight."""
        limit = self._concurrency.limit
        # As many responses again may wait to be decoded.
        while self._pool.in_flight < limit and self._pool.pending < 2 * limit:
            if not self._submit_next():
                return

    def _submit_next(self) -> bool:
        """Submit the most useful request, and return whether there was one."""
        for task in self._tasks:
            if (value := task.ranges.value_to_divide_after(self._concurrency.limit)) is not None:
                return self._fetch_next_value(task, value)
            if task.ranges.is_head_idle():
                return self._fetch(task)
        if self._buffered_bytes() >= self._read_ahead:
            return False
        if self._waiting:
            task = _Task(self._waiting.popleft())
            self._tasks.append(task)
            self._begin_next(task)
            return True
        for task in self._tasks:
            if task.ranges.needs_max_key:
                task.ranges.has_max_key = True
                then = partial(self._max_key_arrived, task, task.ranges)
                self._pool.fetch(task.reader.pages.fetch_max_key, then)
                return True
        return any(self._fetch(task) for task in self._tasks)

    def _buffered_bytes(self) -> int:
        """Count the bytes that are buffered before the writer, or soon will be."""
        # While a response is decoded, both its text and its rows are in memory.
        return (self._pool.in_flight + 1) * self._page_size + sum(
            task.ranges.size for task in self._tasks
        )

    def _fetch(self, task: _Task) -> bool:
        """Submit a request for a page of a table; return whether something changed."""
        read, asked = task.read, None
        # The tables share the limit of requests in flight.
        parallel = max(1, self._concurrency.limit // len(self._tasks))
        with self._guarded(task):
            asked = task.ranges.next(parallel)
        if asked is None or read is None:
            return task.finished
        asked.busy = True
        arrived = partial(self._arrived, task, task.ranges, asked)
        self._pool.fetch(partial(task.reader.pages.fetch, read, asked), arrived)
        return True

    def _arrived(
        self, task: _Task, ranges: Ranges, asked: Range, answer: RawPage | Exception
    ) -> None:
        """Take in a page. Its next page can be asked for before its rows are decoded."""
        read = task.read
        if read is None or not task.is_reading(ranges):
            return
        buffered, error = None, answer if isinstance(answer, Exception) else None
        if not isinstance(answer, Exception):
            try:
                self._page_size = max(self._page_size, len(answer.body))
                buffered = ranges.accept(asked, read.accept(answer))
            except Exception as caught:  # noqa: BLE001 - any exception is this table's failure
                error = caught
        if error is not None:
            # After the pages that are being decoded.
            fail = partial(self._fail, task, ranges, failure_of_table(error))
            self._pool.decode(lambda: None, lambda _: fail())
        elif buffered is not None and buffered.raw is not None:
            decoded = partial(self._decoded, task, ranges, buffered)
            self._pool.decode(partial(task.sink.decode, read, buffered.raw), decoded)

    def _decoded(
        self, task: _Task, ranges: Ranges, buffered: BufferedPage, page: Page[Any] | Exception
    ) -> None:
        if isinstance(page, Exception):
            self._fail(task, ranges, failure_of_table(page))
        else:
            buffered.set_decoded(page)

    def _max_key_arrived(self, task: _Task, ranges: Ranges, greatest: Value | Exception) -> None:
        """Take in the greatest value of the replication key."""
        if isinstance(greatest, Exception):
            greatest = failure_of_table(greatest)
        elif ranges.scale is not None:
            ranges.maximum = position(ranges.scale, greatest)
        if ranges.maximum is None:
            logger.debug("%r is read link by link: %s", task.reader.table.name, greatest)

    def _fetch_next_value(self, task: _Task, value: str) -> bool:
        """Submit a request for the value before which a range is divided."""
        column = task.read.order[0] if task.read is not None else ""
        fetch = partial(task.reader.pages.fetch_next_value, column, value)
        self._pool.fetch(fetch, partial(self._next_value_arrived, task, task.ranges))
        return True

    @staticmethod
    def _next_value_arrived(task: _Task, ranges: Ranges, value: str | Exception | None) -> None:
        """Take in the value before which a range is divided."""
        if isinstance(value, Exception):
            error = failure_of_table(value)
            logger.debug("%r is not divided: %s", task.reader.table.name, error.message)
            value = None
        ranges.divide_before(value)

    def _fail(self, task: _Task, ranges: Ranges, error: ServiceError) -> None:
        """End a failed read after writing the pages that arrived before."""
        while task.is_reading(ranges) and (page := ranges.take()) is not None:
            self._write_page(task, page)
        if task.is_reading(ranges):
            self._begin_next(task, error)

    def _begin_next(self, task: _Task, error: ServiceError | None = None) -> None:
        """Begin the next read of a table, or end the table."""
        with self._guarded(task):
            if not task.begin_next(error):
                self._end(task)

    def _write(self) -> bool:
        """Write the next page of a table, or begin its next read; return whether there was one."""
        for task in self._tasks:
            if (page := task.ranges.take()) is not None:
                self._write_page(task, page)
                return True
            if task.ranges.finished:
                self._begin_next(task)
                return True
        return False

    def _write_page(self, task: _Task, page: Page[Any]) -> None:
        with self._guarded(task):
            try:
                task.sink.write(page)
            except UnsortedError as error:
                self._begin_next(task, error)

    @contextmanager
    def _guarded(self, task: _Task) -> Iterator[None]:
        """Take any exception as the failure of one table."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - as above
            self._end(task, failure_of_table(error))

    def _end(self, task: _Task, error: ServiceError | None = None) -> None:
        """End a table that is complete, or that failed."""
        task.finished = True
        if task in self._tasks:
            self._tasks.remove(task)
        if error is not None:
            self._failed.append(task.sink)
        task.sink.finish(error)
