"""A table's stream page by page: what the engine reads and writes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import quote

from singer_sdk.exceptions import InvalidStreamSortException
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.streams.rest import HTTPRequest

from tap_dynamics365 import query, records
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.ranges import Moments, Numbers
from tap_dynamics365.schema import FULL_TABLE, INCREMENTAL
from tap_dynamics365.streams import TableStream

if TYPE_CHECKING:
    import requests
    from singer_sdk.singerlib import CatalogEntry
    from singer_sdk.tap_base import Tap

    from tap_dynamics365.ranges import Scale
    from tap_dynamics365.records import Page, Value
    from tap_dynamics365.service import Service
    from tap_dynamics365.writer import LineWriter


class PagedStream(TableStream):
    """A table's rows, encoded as they come, in place of the SDK's loop over records.

    Args:
        tap: The tap that the stream belongs to.
        entry: What the catalog says of the table.
        service: Where the rows are.
        writer: Where they go.
        fetch_size: Rows to ask for with each request.
    """

    def __init__(
        self,
        tap: Tap,
        entry: CatalogEntry,
        service: Service,
        writer: LineWriter,
        fetch_size: int,
    ) -> None:
        self.writer = writer
        self._metrics = ExitStack()
        self._has_begun = False
        super().__init__(tap, entry, service, fetch_size)

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

    @property
    def scale(self) -> Scale | None:
        """How values of the replication key can be divided; None if not, or not needed."""
        if self.replication_method != INCREMENTAL or self.service.parallelism.maximum == 1:
            return None
        schema = self.schema["properties"][self.replication_key]
        if schema.get("format") == "date-time":
            return Moments
        return Numbers if "integer" in schema["type"] else None

    def prepare(self) -> None:
        """Make ready what the first request needs."""
        if signpost := self.get_replication_key_signpost(None):
            self._write_replication_key_signpost(None, signpost)
        if self.replication_method == FULL_TABLE and self.emit_activate_version_messages:
            self._stream_version = self._initialized_at // 1000
        self._write_starting_replication_value(None)

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

    def ask(
        self, *, link: str | None, low: str | int | None, high: str | int | None
    ) -> requests.Response:
        """Fetch a page, in whichever thread.

        Args:
            link: Where it is, if the page before it said so.
            low: Else the smallest value of the replication key; None is where replication
                goes on.
            high: The value before which to end; None is the end of the table.

        Returns:
            The answer, all of it, for `codec` to read.

        Raises:
            ServiceError: The service refused.
        """
        return self._get(self._http_request(link, low, high))

    def ask_greatest(self) -> requests.Response:
        """Fetch the greatest value of the replication key, in whichever thread.

        Returns:
            The answer, for `greatest` to read.

        Raises:
            ServiceError: The service refused.
        """
        path = quote(self.entry.table or "")
        options = query.greatest(self.replication_key or "")
        return self._get(HTTPRequest(f"{self.service.url}{path}?{options}"))

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

    def _get(self, request: HTTPRequest) -> requests.Response:
        prepared = self.build_prepared_request("GET", request.url, headers=request.headers)
        response: requests.Response = self.request_decorator(self._request)(prepared, None)
        return response

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
            if piece.last is not None and self.replication_key is not None:
                try:
                    self._increment_stream_state({self.replication_key: piece.last})
                except InvalidStreamSortException as error:
                    raise ServiceError(str(error)) from error
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
