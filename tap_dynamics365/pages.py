"""A table's stream page by page: what the engine reads and writes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from singer_sdk.mapper import SameRecordTransform
from singer_sdk.streams.rest import HTTPRequest
from typing_extensions import override

from tap_dynamics365 import query, records
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.ranges import Range
from tap_dynamics365.streams import TableStream

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    import requests
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import CatalogEntry
    from singer_sdk.tap_base import Tap

    from tap_dynamics365.page import Page, Value
    from tap_dynamics365.passes import Pass
    from tap_dynamics365.service import Service
    from tap_dynamics365.settings import Settings
    from tap_dynamics365.writer import LineWriter


class PagedStream(TableStream):
    """A table's rows, encoded as they come, in place of the SDK's loop over records.

    Args:
        tap: The tap that the stream belongs to.
        entry: What the catalog says of the table.
        service: Where the rows are.
        writer: Where they go.
        settings: How many rows to ask for with each request; where to begin.
    """

    def __init__(
        self,
        tap: Tap,
        entry: CatalogEntry,
        service: Service,
        writer: LineWriter,
        settings: Settings,
    ) -> None:
        self.writer = writer
        self._metrics = ExitStack()
        self._has_begun = False
        super().__init__(tap, entry, service, settings)

    @property
    def is_passed_through(self) -> bool:
        """Whether records leave as they came, so that nothing needs them as Python values.

        Stream maps, flattening, child streams and the limit of `--test` do.
        """
        maps = self.stream_maps
        return (
            len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and not maps[0].flattening_enabled
            and not self.child_streams
            and self.ABORT_AT_RECORD_COUNT is None
        )

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Yield the rows one after the other; a table that may not be read is skipped."""
        requests_made = self.get_http_request_counter()
        passes = self.passes()
        with requests_made:
            part = next(passes, None)
            while part is not None:
                try:
                    for page in self._pages(part):
                        requests_made.increment()
                        yield from records.records(page)
                    part = next(passes, None)
                except ServiceError as error:
                    part = self.instead(passes, error)

    def instead(self, passes: Generator[Pass, None, None], error: ServiceError) -> Pass | None:
        """Find what to do in place of a pass that failed.

        Args:
            passes: What `passes` gave.
            error: The failure.

        Returns:
            The next pass; None if the table is to be skipped.

        Raises:
            ServiceError: There is no other way.
        """
        try:
            return passes.throw(error)
        except StopIteration:
            return None
        except ServiceError as final:
            if self.is_refused(final):
                return None
            raise

    def _pages(self, part: Pass) -> Iterator[Page]:
        """Fetch the pages of a pass link by link."""
        whole = Range()
        while not whole.done:
            answer = self.fetch(self.request(part, whole.link))
            page = part.take_in(part.decode(answer))
            yield page
            whole.follow(page.next_link)

    def _begin(self) -> None:
        """Send what comes before the records, as the SDK's own `sync` does, once."""
        if self._has_begun:
            return
        self._has_begun = True
        self.log("Beginning sync of '%s' in %s mode", self.name, self.replication_method.lower())
        self._write_schema_message()
        self._requests = self._metrics.enter_context(self.get_http_request_counter())
        self._records = self._metrics.enter_context(self.get_record_counter())
        self._metrics.enter_context(self.get_sync_timer())

    def ask_greatest(self) -> requests.Response:
        """Fetch the greatest value of the replication key, in whichever thread.

        Returns:
            The answer, for `greatest` to read.

        Raises:
            ServiceError: The service refused.
        """
        options = query.greatest(self.replication_key or "")
        return self.fetch(HTTPRequest(f"{self.address}?{options}"))

    def greatest(self, response: requests.Response) -> Value:
        """Read the greatest value of the replication key.

        Args:
            response: The answer to `ask_greatest`.

        Returns:
            The value, or None if there is none.

        Raises:
            ServiceError: The answer is no page of rows.
        """
        return records.single(response, self.replication_key or "")

    def write(self, page: Page) -> None:
        """Write a page's records, and the state behind them.

        Args:
            page: The page that is next in order.

        Raises:
            ServiceError: Its rows are not in order, so that no bookmark can be taken from them.
        """
        self._begin()
        self._requests.increment()
        for piece in page.pieces:
            self.writer.write_lines(piece.lines)
            self.state_manager.is_flushed = False
            self.advance(piece.last)
            self._records.increment(piece.rows)
        self._write_state_message()

    def finish(self, *, complete: bool) -> None:
        """Send what comes behind the records.

        Args:
            complete: Whether they are all there.
        """
        if complete:
            self._begin()
        self._metrics.close()
        if complete:
            self.activate_version()
            self._finalize_state(self.stream_state)
        self._write_state_message()
