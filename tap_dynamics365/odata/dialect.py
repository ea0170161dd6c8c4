"""Dialect: what the OData client has to know about one service."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_dynamics365.odata import errors
from tap_dynamics365.odata.query import LONGEST_URL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_dynamics365.http.budgets import Budget
    from tap_dynamics365.http.response import Errors


def _no_headers(url: str) -> Mapping[str, str]:  # noqa: ARG001 - as above
    return {}


def _never(link: str) -> bool:  # noqa: ARG001 - the default of a callable
    return False


def _unknown(token: str, key: str) -> None:  # noqa: ARG001 - as above
    return None


def _is_null(column: str, schema: Mapping[str, Any]) -> str | None:  # noqa: ARG001 - as above
    return f"{column} eq null"


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How one service speaks OData. The defaults are those of plain OData 4.

    Attributes:
        errors: The error codes and messages of the service.
        service: The name of the service in messages.
        metadata_path: The path and query of the metadata document.
        metadata_sets: Entity sets that describe the service and are no tables.
        is_named_by_set: Whether tables are named after their entity sets instead of their types.
        has_navigations: Whether the navigation properties of tables are needed.
        facts: Sentences that annotations of the metadata document add to descriptions, by term and
            value.
        metadata_version: The annotation with the version of the data model; empty if there is none.
        more_rows: The annotation that says that there are more rows; empty if there is none.
        concurrency_hint: The header with the number of parallel requests that the service
            recommends; empty if there is none.
        headers: Returns the headers of each request to a service with this URL.
        writing_headers: The headers of the repetition of a read that has to write, which the
            headers of each request do not allow.
        start_requests: Requests in flight before the service has recommended a number.
        default_requests: The most requests in flight, where the settings do not say.
        most_requests: The most requests in flight, whatever the settings say.
        first_throttle_wait: Seconds before the first retry of a throttled request if the service
            does not say how long to wait. Doubled for each further retry.
        largest_page: The most rows that the service sends in one page.
        largest_count: The largest number of rows that `$count` says, for more rows too.
        refuses_larger_pages: Whether the service may refuse a request for more rows than that,
            instead of sending fewer.
        budgets: What is left of the service's limits, by the header that says so.
        is_keyset_link: Tells whether a link to a next page names the row after which it continues.
            Such a link can be followed with another page size.
        replaces_links: Whether rows are always sorted by their key, and reading continues by key
            values instead of the service's links, because these count rows.
        group_column: A column that is the first of many keys and has few values, by which large
            tables are divided; empty if there is none.
        longest_url: The most characters that a URL may have.
        keeps_links: Whether a link to a next page stays valid, so that the next run can follow it.
        sorted_keys: The replication keys that rows are sorted by, because the service has an index
            on them. None for all. Rows with another one are read in any order.
        unique_keys: The replication keys of which no two rows have the same value.
        joins_by_or: Whether conditions on different columns can be joined by `or`.
        has_text_functions: Whether conditions may search for parts of texts: `contains`,
            `startswith`, `endswith`.
        late_seconds: Seconds after which a changed row is visible for sure.
        most_at_once: The most parents whose rows are requested together.
        key_columns: The replication keys that the service itself sets in each row.
        without_value: Returns the condition for rows without a value of a column with a JSON
            Schema; None if there are no such rows.
        sets_missing_keys: Whether a change gives a row a value of a key column, if it had none.
        key_at_token: Returns the value of a replication key at the moment of a delta token; None
            if the token does not say.
    """

    errors: Errors = errors
    service: str = "service"
    metadata_path: str = "$metadata"
    metadata_sets: frozenset[str] = frozenset()
    is_named_by_set: bool = False
    has_navigations: bool = False
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    metadata_version: str = ""
    more_rows: str = ""
    concurrency_hint: str = ""
    headers: Callable[[str], Mapping[str, str]] = _no_headers
    writing_headers: Mapping[str, str] = field(default_factory=dict)
    start_requests: int = 8
    default_requests: int = 8
    most_requests: float = math.inf
    first_throttle_wait: float = 1.0
    largest_page: int = 5_000
    largest_count: float = math.inf
    refuses_larger_pages: bool = False
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    is_keyset_link: Callable[[str], bool] = _never
    replaces_links: bool = False
    group_column: str = ""
    longest_url: int = LONGEST_URL
    keeps_links: bool = False
    sorted_keys: frozenset[str] | None = None
    unique_keys: frozenset[str] = frozenset()
    joins_by_or: bool = True
    has_text_functions: bool = True
    late_seconds: int = 0
    most_at_once: int = 200
    key_columns: tuple[str, ...] = ()
    without_value: Callable[[str, Mapping[str, Any]], str | None] = _is_null
    sets_missing_keys: bool = False
    key_at_token: Callable[[str, str], str | int | None] = _unknown
