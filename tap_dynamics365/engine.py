"""Requests in flight for all tables at once, and one writer.

Workers fetch pages and encode their rows; the main thread alone decides what to ask for, writes
messages and moves bookmarks. Rows of one table leave in order, tables take turns.
"""

from __future__ import annotations

import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.pool import Pool
from tap_dynamics365.ranges import Range, Ranges
from tap_dynamics365.records.page import Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_dynamics365.pages import PagedStream
    from tap_dynamics365.records.raw_page import RawPage
    from tap_dynamics365.replication.passes import Pass
    from tap_dynamics365.service import Service

logger = logging.getLogger("tap-dynamics365.engine")


class Reader:
    """A table that is being read.

    Args:
        stream: The table's stream.
    """

    def __init__(self, stream: PagedStream) -> None:
        self.stream = stream
        self.over = False
        self._passes = stream.passes()
        self._begin(next(self._passes, None))

    def _begin(self, part: Pass | None) -> None:
        self.part = part
        parallel = self.stream.service.parallelism.maximum
        # Where requests go one after the other, ranges would only be more of them; where there is
        # a limit to them, what was fetched behind a gap could not be written.
        is_divided = parallel > 1 and not self.stream.settings.stmt_call_limit
        scale = part.scale if part is not None and is_divided else None
        self.ranges = Ranges(scale, parallel)

    def go_on(self, error: ServiceError | None = None) -> bool:
        """Begin the next pass over the table.

        Args:
            error: What ended the one before, if it failed.

        Returns:
            Whether there is one.

        Raises:
            ServiceError: The table failed.
        """
        if error is None:
            self._begin(next(self._passes, None))
        else:
            self._begin(self.stream.instead(self._passes, error))
        return self.part is not None


class Engine:
    """Reads tables and writes their messages.

    Args:
        service: Where the tables are.
        read_ahead: Bytes that may lie fetched and not yet written.
    """

    def __init__(self, service: Service, read_ahead: int) -> None:
        self._service = service
        self._read_ahead = read_ahead
        # A job is for a range of a pass, or for the greatest value of the key.
        self._pool: Pool[tuple[Reader, Ranges, Range | None], RawPage] = Pool()
        self._waiting: deque[PagedStream] = deque()
        self._readers: list[Reader] = []
        self._page_size = 0
        self._failed: list[str] = []

    def run(self, streams: Iterable[PagedStream]) -> list[str]:
        """Read all tables to their end.

        Args:
            streams: The tables, in the order in which they are begun.

        Returns:
            Names of those that failed; the others were read all the same.
        """
        self._waiting.extend(streams)
        while True:
            self._ask()
            if not self._pool.pending:
                return self._failed
            if (event := self._pool.wait()) is not None:
                self._settle(*event)
                self._write()

    def _ask(self) -> None:
        """Have as many requests on their way as may be."""
        limit = self._service.parallelism.limit
        # Answers that wait to be decoded may be as many again.
        while self._pool.in_flight < limit and self._pool.pending < 2 * limit:
            if not self._ask_next():
                return

    def _ask_next(self) -> bool:
        """Send the most useful request; tell whether there was one."""
        for reader in self._readers:
            if reader.ranges.front_is_idle():
                return self._fetch(reader)
        if self._ahead() >= self._read_ahead:
            return False
        if self._waiting:
            reader = Reader(self._waiting.popleft())
            self._readers.append(reader)
            return self._fetch(reader)
        for reader in self._readers:
            if reader.ranges.wants_measure:
                reader.ranges.measured = True
                stream = reader.stream
                job = (reader, reader.ranges, None)
                self._pool.submit(job, stream.ask_greatest, stream.greatest)
                return True
        return any(self._fetch(reader) for reader in self._readers)

    def _ahead(self) -> int:
        """Count the bytes that lie ahead of the writer, or soon will."""
        # An answer counts twice: as its text and as the rows made of it, which share the heap.
        return 2 * self._pool.pending * self._page_size + sum(
            reader.ranges.size for reader in self._readers
        )

    def _fetch(self, reader: Reader) -> bool:
        asked, part, stream = reader.ranges.next(), reader.part, reader.stream
        if asked is None or part is None:
            return False
        asked.busy = True
        fetch = partial(stream.read, part, asked)
        self._pool.submit((reader, reader.ranges, asked), fetch, part.decode)
        return True

    def _settle(self, job: tuple[Reader, Ranges, Range | None], result: object) -> None:
        """Take in what a job brought."""
        reader, ranges, asked = job
        # A pass that failed is answered to the end, but read no more.
        if reader.over or reader.ranges is not ranges or reader.part is None:
            return
        if asked is None:
            self._measured(reader, result)
        elif isinstance(result, Page):
            self._page_size = max(self._page_size, result.size)
            try:
                reader.ranges.accept(asked, reader.part.take_in(result))
            except ServiceError as error:
                self._fail(reader, error)
        elif isinstance(result, ServiceError):
            self._fail(reader, result)
        elif isinstance(result, BaseException):
            raise result

    def _measured(self, reader: Reader, result: object) -> None:
        scale = reader.ranges.scale
        if isinstance(result, (str, int)) and scale is not None:
            reader.ranges.maximum = scale.position(result)
        else:
            logger.debug("%r is read link by link: %s", reader.stream.name, result)

    def _fail(self, reader: Reader, error: ServiceError) -> None:
        """Give a pass up, behind what is there of it; the other tables go on."""
        self._write_ready(reader)
        if not reader.over:
            self._go_on(reader, error)

    def _go_on(self, reader: Reader, error: ServiceError | None = None) -> None:
        """Begin a table's next pass, or let go of the table."""
        try:
            goes_on = reader.go_on(error)
        except ServiceError as final:
            self._end(reader, final)
        else:
            if not goes_on:
                self._end(reader)

    def _write(self) -> None:
        """Write what is there and next in order."""
        for reader in list(self._readers):
            self._write_ready(reader)
            if reader.ranges.finished and not reader.over:
                self._go_on(reader)

    def _write_ready(self, reader: Reader) -> None:
        for page in reader.ranges.take():
            # What follows shall be on its way while the page is written.
            self._ask()
            try:
                reader.stream.write(page)
            except ServiceError as error:
                self._end(reader, error)
                return

    def _end(self, reader: Reader, error: ServiceError | None = None) -> None:
        """Let go of a table that is whole, or that failed."""
        reader.over = True
        self._readers.remove(reader)
        if error is not None:
            self._failed.append(reader.stream.name)
            logger.error("Table %r failed. %s", reader.stream.name, error.message)
        reader.stream.finish(complete=error is None and not reader.stream.unreadable)
