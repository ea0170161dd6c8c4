"""A table as a Singer stream."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.pagination import BaseAPIPaginator
from singer_sdk.singerlib import Metadata
from singer_sdk.streams.rest import HTTPRequest, RESTStream
from typing_extensions import override

from tap_dynamics365 import query, records
from tap_dynamics365.errors import CatalogError, ServiceError
from tap_dynamics365.ranges import Range
from tap_dynamics365.records import Codec
from tap_dynamics365.schema import FULL_TABLE, INCREMENTAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import Context, Record, RequestFunc
    from singer_sdk.singerlib import CatalogEntry, MetadataMapping
    from singer_sdk.streams.rest import PageContext
    from singer_sdk.tap_base import Tap

    from tap_dynamics365.auth import Authenticator
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
        self._range = Range()

    @override
    def continue_if_empty(self, response: requests.Response) -> bool:
        # Rows are filtered behind the paging: a page may be empty and the next one not.
        return True

    @override
    def get_next(self, response: requests.Response) -> str | None:
        self._range.follow(records.next_link(response))
        return self._range.link


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

    #: Whether the service refused to let the table be read.
    unreadable = False

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
        # Targets need the key, and bookmarks are read off the rows: neither can be left out.
        for name in self._keys():
            self.metadata["properties", name].inclusion = Metadata.InclusionType.AUTOMATIC

    def _keys(self) -> list[str]:
        """Name the key's columns, and the replication key."""
        return [*self.primary_keys, *([self.replication_key] if self.replication_key else [])]

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
    def authenticator(self) -> Authenticator:
        return self.service.authenticator

    @property
    @override
    def requests_session(self) -> requests.Session:
        return self.service.session

    @property
    @override
    def timeout(self) -> int | None:  # type: ignore[override]  # None: wait for ever
        return self.service.timeout

    @override
    def build_prepared_request(self, *args: Any, **kwargs: Any) -> requests.PreparedRequest:
        # Without signing it yet, which the SDK does twice: signing may have to be tried again.
        return self.requests_session.prepare_request(requests.Request(*args, **kwargs))

    @override
    def request_decorator(self, func: RequestFunc) -> RequestFunc:
        return self.service.retrying(func)

    @override
    def validate_response(self, response: requests.Response) -> None:
        self.service.check(response)
        hint = response.headers.get("x-ms-dop-hint")
        self.service.parallelism.answered(response.elapsed.total_seconds(), hint)

    @override
    def get_new_paginator(self) -> NextLinkPaginator:
        return NextLinkPaginator()

    @override
    def get_http_request(self, *, page: PageContext) -> HTTPRequest:
        return self._http_request(page.next_page_token)

    def _http_request(
        self,
        link: str | None,
        low: str | int | None = None,
        high: str | int | None = None,
    ) -> HTTPRequest:
        """Make the request for a page: the one behind a link, or the first of a range."""
        url = self.url(low, high) if link is None else self.service.resolve(link)
        # The service forgets the size from one page to the next.
        return HTTPRequest(url, headers={"Prefer": f"odata.maxpagesize={self.fetch_size}"})

    def url(self, low: str | int | None = None, high: str | int | None = None) -> str:
        """Make the URL of the first page of a range.

        Args:
            low: The smallest value of the replication key; None is where replication goes on.
            high: The value before which to end; None is the end of the table.

        Returns:
            The URL that asks for the selected columns of these rows.
        """
        incremental = self.replication_method == INCREMENTAL
        options = query.build(
            self.columns,
            key=self.primary_keys,
            replication_key=self.replication_key if incremental else None,
            start=(self.start() if low is None else low) if incremental else None,
            stop=high,
        )
        return f"{self.service.url}{quote(self.entry.table or '')}?{options}"

    @cached_property
    def columns(self) -> list[str]:
        """Names of the selected columns; key and replication key are always among them."""
        return [name for name in self.schema["properties"] if self.mask["properties", name]]

    def start(self) -> str | int | None:
        """Tell where replication goes on.

        Returns:
            The smallest value of the replication key to ask for, as a literal, or None.
        """
        if self.is_timestamp_replication_key:
            moment = self.get_starting_timestamp(None)
            return None if moment is None else query.instant(moment)
        # The SDK would take start_date for the starting value of any key, a number's too.
        if self.stream_state.get("replication_key") != self.replication_key:
            return None
        bookmark: str | int | None = self.stream_state.get("replication_key_value")
        return bookmark

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Yield the rows; a table that may not be read is skipped with a warning."""
        try:
            yield from super().get_records(context)
        except ServiceError as error:
            if not self.is_refused(error):
                raise

    @override
    def parse_response(self, response: requests.Response) -> Iterator[Record]:
        return records.records(self.codec.page(response))

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """Return nothing: the SDK's BATCH messages ignore selection and stream maps."""

    def is_refused(self, error: ServiceError) -> bool:
        """Tell whether the service does not let the table be read, and warn if so.

        Args:
            error: What the service said.
        """
        if error.code not in UNREADABLE_CODES and UNREADABLE_WORDS not in error.message:
            return False
        self.unreadable = True
        self.logger.warning("Skipped %r, which can't be read. %s", self.name, error.message)
        return True

    @cached_property
    def codec(self) -> Codec:
        """What turns the service's pages into messages."""
        key = self.replication_key if self.replication_method == INCREMENTAL else None
        return Codec(
            self.name,
            self.schema,
            lambda path: self.mask[_breadcrumb(path)],
            key=key,
            version=self._stream_version,
        )

    @override
    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Drop a bookmark that another replication key left, for the two can't be compared."""
        state = self.stream_state
        old = state.get("replication_key")
        if self.replication_method == INCREMENTAL and old not in {None, self.replication_key}:
            self.logger.warning(
                "The bookmark of %r is of %s, not of %s: the table is read anew.",
                self.name,
                old,
                self.replication_key,
            )
            state.pop("replication_key")
            state.pop("replication_key_value", None)
        super()._write_starting_replication_value(context)

    @override
    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Do nothing: the SDK would have the target drop the old rows before the new are there."""

    def activate_version(self) -> None:
        """Have the target drop the rows of earlier versions, now that this one is whole."""
        if self._stream_version is not None and not self.unreadable:
            super()._write_activate_version_message(self._stream_version)


def _breadcrumb(path: tuple[str, ...]) -> tuple[str, ...]:
    """Write a path of names as the catalog's metadata has it."""
    return tuple(step for name in path for step in ("properties", name))


def _sortable(properties: Mapping[str, Any]) -> list[str]:
    """Name the columns whose values can be a bookmark: moments, days and whole numbers."""
    return [
        name
        for name, schema in properties.items()
        if schema.get("format") in {"date-time", "date"} or "integer" in schema.get("type", ())
    ]
