"""Connection test (`--test`): reads one row of each stream, and logs the result."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tap_dynamics365.errors import ServiceError, failure_of_table, log_failure
from tap_dynamics365.extract.pool import fetch_each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from singer_sdk.helpers.types import Record

    from tap_dynamics365.http.concurrency import ConcurrencyLimit
    from tap_dynamics365.singer.record_stream import RecordStream
    from tap_dynamics365.singer.table_stream import TableStream

logger = logging.getLogger("tap-dynamics365.connection_test")


class ConnectionTest:
    """Reads one row of each stream, writes it, and logs the result.

    Args:
        concurrency: The limit of requests in flight.
    """

    def __init__(self, concurrency: ConcurrencyLimit) -> None:
        self._concurrency = concurrency
        self._failed: list[str] = []
        self._read = 0

    def tables(self, streams: Iterable[TableStream]) -> None:
        """Test tables, with as many requests in flight as in a sync.

        Args:
            streams: The streams of the tables.
        """
        fetch_each(streams, lambda stream: stream.fetch_sample(), self._take, self._concurrency)

    def _take(self, stream: TableStream, answer: Record | Exception | None) -> None:
        """Handle the row, or the error, of a table."""

        def sample() -> Record | None:
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.stream(stream, sample)

    def stream(self, stream: RecordStream, sample: Callable[[], Record | None]) -> None:
        """Write one row of a stream, and log the result.

        Args:
            stream: The stream.
            sample: Returns the row, or None if there is none.
        """
        try:
            row = sample()
            stream.send_sample(row)
        except Exception as error:  # noqa: BLE001 - any exception is this stream's failure
            failure = failure_of_table(error)
            if not stream.is_refused(failure):
                log_failure(f"Table {stream.name!r}", failure)
                self._failed.append(stream.name)
        else:
            self._read += 1
            logger.info("%s: %s.", stream.name, "no rows" if row is None else "1 row")

    def conclude(self) -> None:
        """End the test.

        Raises:
            ServiceError: Tables failed, or none can be read.
        """
        if self._failed:
            tested = len(self._failed) + self._read
            noun = "table" if tested == 1 else "tables"
            msg = (
                f"{len(self._failed)} of {tested} {noun} failed the test, for the reasons logged "
                f"above: {', '.join(self._failed)}."
            )
            raise ServiceError(msg)
        if not self._read:
            msg = "None of the tables can be read. The warnings above say why."
            raise ServiceError(msg)
