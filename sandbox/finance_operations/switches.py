"""Switches: what tests can change while the service runs."""

from __future__ import annotations

from dataclasses import dataclass, field

LARGEST_PAGE = 10_000


@dataclass
class Switches:
    """What can be changed while the service runs.

    Attributes:
        page_size_cap: Largest number of rows in a page.
        honours_page_size: Whether `Prefer: odata.maxpagesize` makes pages smaller.
        page_delay_ms: Delay of each response with rows.
        skip_delay_ms: Delay of a response for each 1,000 rows that `$skip` leaves out.
        slow_columns: Delay for each row, in milliseconds, of a column that is costly to compute, by
            `Set/Column`. Responses without the column have no delay.
        metadata_delay_ms: Delay of the next response with `$metadata`, as after a restart.
        forbidden_tables: Entity sets that the user's roles don't reach.
        guid_comparison: Whether `gt`, `ge`, `lt` and `le` of a GUID are "understood" or "refused".
        compress: Whether callers that accept gzip get gzip.
        app_not_listed: Whether *Microsoft Entra ID applications* does not list the app.
        sign_in_redirect: Whether all requests are redirected to the sign-in page.
        throttled_requests: Number of requests to refuse because of the load, with a `Retry-After`
            that grows from 5 to 60 seconds.
        throttle_header: Whether these refusals have a `Retry-After` header.
        link_origin: Scheme, host and port of links, as behind a gateway. Empty takes those of the
            request.
        longest_url: Largest number of characters in a URL: longer ones are refused with
            `long_url_status` and a web page. 0 sets no limit.
        long_url_status: Status for URLs longer than `longest_url`: 404, 414 or 400.
    """

    page_size_cap: int = LARGEST_PAGE
    honours_page_size: bool = False
    page_delay_ms: float = 0
    skip_delay_ms: float = 0
    slow_columns: dict[str, float] = field(default_factory=dict)
    metadata_delay_ms: float = 0
    forbidden_tables: list[str] = field(default_factory=list)
    guid_comparison: str = "understood"
    compress: bool = True
    app_not_listed: bool = False
    sign_in_redirect: bool = False
    throttled_requests: int = 0
    throttle_header: bool = True
    link_origin: str = ""
    longest_url: int = 0
    long_url_status: int = 404
