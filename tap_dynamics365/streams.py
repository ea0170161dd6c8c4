"""A table as a Singer stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.pagination import BaseAPIPaginator
from singer_sdk.singerlib import Metadata
from singer_sdk.streams.rest import HTTPRequest, RESTStream
from typing_extensions import override

from tap_dynamics365 import query, records
from tap_dynamics365.errors import CatalogError, ServiceError
from tap_dynamics365.schema import FULL_TABLE, INCREMENTAL
from tap_dynamics365.service import USER_AGENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import requests
    from singer_sdk.authenticators import APIAuthenticatorBase
    from singer_sdk.helpers.types import Context, Record, RequestFunc
    from singer_sdk.singerlib import CatalogEntry, MetadataMapping
    from singer_sdk.streams.rest import PageContext
    from singer_sdk.tap_base import Tap

    from tap_dynamics365.service import Service

# The caller lacks the privilege to read the table, or the row access that goes with it; the table
# can't be listed at all.
# https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes
UNREADABLE_CODES = {"0x80040220", "0x80048306", "0x80040800"}
UNREADABLE_WORDS = "'RetrieveMultiple' method does not support"


class NextLinkPaginator(BaseAPIPaginator[str | None]):
    """Follows `@odata.nextLink` until a page has none."""

    def __init__(self) -> None:
        super().__init__(None)
        self._seen: set[str] = set()

    @override
    def continue_if_empty(self, response: requests.Response) -> bool:
        # Rows are filtered behind the paging: a page may be empty and the next one not.
        return True

    @override
    def get_next(self, response: requests.Response) -> str | None:
        link = records.next_link(response)
        if link is None:
            return None
        if link in self._seen:
            msg = (
                "The service sent the same link to a next page twice; following it would never "
                "end. Run again; if it stays so, choose another fetch_size."
            )
            raise ServiceError(msg)
        self._seen.add(link)
        return link


class TableStream(RESTStream[str | None]):
    """The rows of one table, sorted by the replication key where it has one.

    Args:
        tap: The tap that the stream belongs to.
        entry: What the catalog says of the table.
        service: Where the rows are.
        fetch_size: Rows to ask for with each request.
    """

    # The service answers JSON in the types of the schema, and only the columns asked for.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(self, tap: Tap, entry: CatalogEntry, service: Service, fetch_size: int) -> None:
        # The properties that the SDK asks for while it is set up need these.
        self.entry = entry
        self.service = service
        self.fetch_size = fetch_size
        if not entry.table:
            msg = (
                f"The catalog entry {entry.tap_stream_id!r} has no table_name: make the catalog "
                "anew with --discover."
            )
            raise CatalogError(msg)
        super().__init__(
            tap, name=entry.tap_stream_id, schema=entry.schema.to_dict(), path=entry.table
        )
        self.primary_keys = entry.key_properties or ()
        self.replication_key = entry.replication_key
        self.forced_replication_method = entry.replication_method
        self._check_replication()

    def _check_replication(self) -> None:
        """Raise if the table can't be replicated as the catalog wants it."""
        if self.replication_method not in {INCREMENTAL, FULL_TABLE}:
            msg = (
                f"The catalog wants {self.name!r} replicated {self.replication_method}: the tap "
                f"knows {INCREMENTAL} and {FULL_TABLE}."
            )
            raise CatalogError(msg)
        if self.replication_method == FULL_TABLE:
            return
        properties = self.schema["properties"]
        key = self.replication_key or ""
        if key not in properties:
            wanted = f"by {key!r}, which is no column of it" if key else "by no key"
            msg = (
                f"The catalog wants {self.name!r} replicated {INCREMENTAL} {wanted}. Columns that "
                f"can be its replication key: {', '.join(_sortable(properties)) or 'none'}."
            )
            raise CatalogError(msg)
        # A bookmark is read off the rows: the key in use can't be left out.
        self.metadata["properties", key].inclusion = Metadata.InclusionType.AUTOMATIC

    @property
    @override
    def metadata(self) -> MetadataMapping:
        return self.entry.metadata

    @property
    @override
    def is_sorted(self) -> bool:
        return self.replication_method == INCREMENTAL

    @property
    @override
    def url_base(self) -> str:
        return self.service.url

    @property
    @override
    def authenticator(self) -> APIAuthenticatorBase:
        return self.service.authenticator

    @property
    @override
    def requests_session(self) -> requests.Session:
        return self.service.session

    @property
    @override
    def timeout(self) -> int | None:  # type: ignore[override]  # None: wait for ever
        return self.service.timeout

    @property
    def user_agent(self) -> str:
        """The tap's own name; the SDK would give its own."""
        return USER_AGENT

    @override
    def request_decorator(self, func: RequestFunc) -> RequestFunc:
        return self.service.retrying(func)

    @override
    def validate_response(self, response: requests.Response) -> None:
        self.service.check(response)

    @override
    def get_new_paginator(self) -> NextLinkPaginator:
        return NextLinkPaginator()

    @override
    def get_http_request(self, *, page: PageContext) -> HTTPRequest:
        link = page.next_page_token
        url = self.first_page(page.stream_context) if link is None else self.service.resolve(link)
        # The service forgets the size from one page to the next.
        return HTTPRequest(url, headers={"Prefer": f"odata.maxpagesize={self.fetch_size}"})

    def first_page(self, context: Context | None) -> str:
        """Make the URL of the first page.

        Args:
            context: The SDK's partition of the stream; there is none.

        Returns:
            The URL that asks for the selected columns of the rows from the bookmark on.
        """
        incremental = self.replication_method == INCREMENTAL
        options = query.build(
            self.columns,
            key=self.primary_keys,
            replication_key=self.replication_key if incremental else None,
            start=self.start(context) if incremental else None,
        )
        return f"{self.service.url}{quote(self.entry.table or '')}?{options}"

    @property
    def columns(self) -> list[str]:
        """Names of the selected columns; key and replication key are always among them."""
        selected = [name for name in self.schema["properties"] if self.mask["properties", name]]
        keys = [*self.primary_keys, *([self.replication_key] if self.replication_key else [])]
        return list(dict.fromkeys([*selected, *keys]))

    def start(self, context: Context | None) -> str | int | None:
        """Tell where replication goes on.

        Args:
            context: The SDK's partition of the stream; there is none.

        Returns:
            The smallest value of the replication key to ask for, as a literal, or None.
        """
        if self.is_timestamp_replication_key:
            moment = self.get_starting_timestamp(context)
            return None if moment is None else query.instant(moment)
        # The SDK would take start_date for the starting value of any key, a number's too.
        state = self.get_context_state(context)
        if state.get("replication_key") != self.replication_key:
            return None
        bookmark: str | int | None = state.get("replication_key_value")
        return bookmark

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Yield the rows; a table that may not be read is skipped with a warning."""
        try:
            yield from super().get_records(context)
        except ServiceError as error:
            if not _is_unreadable(error):
                raise
            self.unreadable = True
            self.logger.warning("Skipped %r, which can't be read. %s", self.name, error.message)

    #: Whether the service refused to let the table be read.
    unreadable = False

    @override
    def parse_response(self, response: requests.Response) -> Iterator[Record]:
        return records.rows(response, self.columns)

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """Return nothing: the SDK's BATCH messages ignore selection and stream maps."""


def _is_unreadable(error: ServiceError) -> bool:
    return error.code in UNREADABLE_CODES or UNREADABLE_WORDS in error.message


def _sortable(properties: Mapping[str, Any]) -> list[str]:
    """Name the columns whose values can be a bookmark: moments, days and whole numbers."""
    return [
        name
        for name, schema in properties.items()
        if schema.get("format") in {"date-time", "date"} or "integer" in schema.get("type", ())
    ]
