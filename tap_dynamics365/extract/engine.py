"""Requests in flight for all tables at once, and one writer.

Threads fetch pages and one encodes their rows; the main thread alone decides what to ask for,
writes messages and moves bookmarks. Rows of one table leave in order, tables take turns.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from tap_dynamics365.errors import ServiceError, UnsortedError, failure_of_table
from tap_dynamics365.extract.pool import Pool
from tap_dynamics365.extract.ranges import Ranges
from tap_dynamics365.odata.key_scale import position

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_dynamics365.extract.page import Page, Value
    from tap_dynamics365.extract.range import Arrival, Range
    from tap_dynamics365.extract.read import Pass
    from tap_dynamics365.odata.client import Service
    from tap_dynamics365.odata.page import RawPage
    from tap_dynamics365.singer.paged_stream import PagedStream
    from tap_dynamics365.singer.state_writer import PacedStateWriter

logger = logging.getLogger("tap-dynamics365.engine")


class Reader:
    """A table that is being read.

    Args:
        stream: The table's stream.
    """

    def __init__(self, stream: PagedStream) -> None:
        self.stream = stream
        self.over = False
        self.part: Pass | None = None
        self.ranges = Ranges(None)
        self._passes = stream.passes()

    def _begin(self, part: Pass | None) -> None:
        self.part = part
        # Where requests go one after the other, ranges would only be more of them; where there is
        # a limit to them, what was fetched behind a gap could not be written.
        is_parallel = self.stream.service.parallelism.maximum > 1
        is_divided = is_parallel and not self.stream.settings.stmt_call_limit
        scale = part.scale if part is not None and is_divided else None
        cut_off = part.keyset.cut_off if part is not None and part.keyset is not None else None
        self.ranges = Ranges(scale, cut_off)

    def is_reading(self, ranges: Ranges) -> bool:
        """Tell whether what comes for a pass is still of use: one that failed is read no more.

        Args:
            ranges: Those of the pass.
        """
        return not self.over and self.ranges is ranges

    def go_on(self, error: ServiceError | None = None) -> bool:
        """Begin the first pass over the table, or the next.

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
        states: What writes the state.
        read_ahead: Bytes that may lie fetched and not yet written.
    """

    def __init__(self, service: Service, states: PacedStateWriter, read_ahead: int) -> None:
        self._service = service
        self._states = states
        self._read_ahead = read_ahead
        self._pool = Pool()
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
            # What follows shall be on its way while a page is written.
            self._ask()
            if not self._write():
                if not self._pool.pending:
                    return self._failed
                self._pool.hand_over(self._states.seconds_left)
            while self._pool.has_results:
                self._pool.hand_over()
            self._states.write_if_late()

    def _ask(self) -> None:
        """Have as many requests on their way as may be."""
        limit = self._service.parallelism.limit
        # Answers that wait to be decoded may be as many again.
        while self._pool.in_flight < limit and self._pool.pending < 2 * limit:
            if not self._ask_next():
                return

    def _ask_next(self) -> bool:
        """Do what is most useful to have answers come; tell whether there was something to do."""
        for reader in self._readers:
            if reader.ranges.front_is_idle():
                return self._fetch(reader)
        if self._ahead() >= self._read_ahead:
            return False
        if self._waiting:
            reader = Reader(self._waiting.popleft())
            self._readers.append(reader)
            self._go_on(reader)
            return True
        for reader in self._readers:
            if reader.ranges.wants_measure:
                reader.ranges.measured = True
                measured = partial(self._measured, reader, reader.ranges)
                self._pool.fetch(reader.stream.ask_greatest, measured)
                return True
        return any(self._fetch(reader) for reader in self._readers)

    def _ahead(self) -> int:
        """Count the bytes that lie ahead of the writer, or soon will."""
        # Of an answer that is being decoded there are both its text and the rows made of it.
        return (self._pool.in_flight + 1) * self._page_size + sum(
            reader.ranges.size for reader in self._readers
        )

    def _fetch(self, reader: Reader) -> bool:
        """Ask for a page of a table; tell whether that, or its failure, has led any further."""
        part, stream, asked = reader.part, reader.stream, None
        # Tables share what may be in flight.
        parallel = max(1, self._service.parallelism.limit // len(self._readers))
        with self._guarded(reader):
            asked = reader.ranges.next(parallel)
        if asked is None or part is None:
            return reader.over
        asked.busy = True
        arrived = partial(self._arrived, reader, reader.ranges, asked)
        self._pool.fetch(partial(stream.read, part, asked), arrived)
        return True

    def _arrived(
        self, reader: Reader, ranges: Ranges, asked: Range, answer: RawPage | Exception
    ) -> None:
        """Take in a page. What it leads to can be asked for before its rows are decoded."""
        part = reader.part
        if part is None or not reader.is_reading(ranges):
            return
        arrival, error = None, answer if isinstance(answer, Exception) else None
        if not isinstance(answer, Exception):
            try:
                self._page_size = max(self._page_size, len(answer.body))
                arrival = ranges.accept(asked, part.take_in(answer))
            except Exception as caught:  # noqa: BLE001 - whatever it is, it is of this table alone
                error = caught
        if error is not None:
            # Behind the pages that are being decoded.
            fail = partial(self._fail, reader, ranges, failure_of_table(error))
            self._pool.decode(lambda: None, lambda _: fail())
        elif arrival is not None and arrival.raw is not None:
            decoded = partial(self._decoded, reader, ranges, arrival)
            self._pool.decode(partial(part.decode, arrival.raw), decoded)

    def _decoded(
        self, reader: Reader, ranges: Ranges, arrival: Arrival, page: Page | Exception
    ) -> None:
        if isinstance(page, Exception):
            self._fail(reader, ranges, failure_of_table(page))
        else:
            arrival.become(page)

    def _measured(self, reader: Reader, ranges: Ranges, greatest: Value | Exception) -> None:
        """Take in the greatest value of the key."""
        if isinstance(greatest, Exception):
            greatest = failure_of_table(greatest)
        elif ranges.scale is not None:
            ranges.maximum = position(ranges.scale, greatest)
        if ranges.maximum is None:
            logger.debug("%r is read link by link: %s", reader.stream.name, greatest)

    def _fail(self, reader: Reader, ranges: Ranges, error: ServiceError) -> None:
        """Give a pass up, behind what is there of it; the other tables go on."""
        while reader.is_reading(ranges) and (page := ranges.take()) is not None:
            self._write_page(reader, page)
        if reader.is_reading(ranges):
            self._go_on(reader, error)

    def _go_on(self, reader: Reader, error: ServiceError | None = None) -> None:
        """Begin a table's next pass, or let go of the table."""
        with self._guarded(reader):
            if not reader.go_on(error):
                self._end(reader)

    def _write(self) -> bool:
        """Write a page that is next in order, or go on behind the last; tell whether that was."""
        for reader in self._readers:
            if (page := reader.ranges.take()) is not None:
                self._write_page(reader, page)
                return True
            if reader.ranges.finished:
                self._go_on(reader)
                return True
        return False

    def _write_page(self, reader: Reader, page: Page) -> None:
        with self._guarded(reader):
            try:
                reader.stream.write(page)
            except UnsortedError as error:
                self._go_on(reader, error)

    @contextmanager
    def _guarded(self, reader: Reader) -> Iterator[None]:
        """Let whatever goes wrong with a table be the end of this table alone."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - as above
            self._end(reader, failure_of_table(error))

    def _end(self, reader: Reader, error: ServiceError | None = None) -> None:
        """Let go of a table that is whole, or that failed."""
        reader.over = True
        if reader in self._readers:
            self._readers.remove(reader)
        if error is not None:
            self._failed.append(reader.stream.name)
        reader.stream.finish(error)
