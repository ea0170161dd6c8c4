"""Switches: what tests can change while the service runs."""

from __future__ import annotations

from dataclasses import dataclass, field

LARGEST_PAGE = 20_000
LONGEST_QUERY, LONGEST_QUERY_ON_PREMISES = 8_099, 15_700


@dataclass
class Switches:
    """What can be changed while the service runs.

    Attributes:
        page_size_cap: Largest number of rows in a page, and the number without a preference.
        on_premises_page_size_cap: The same of the on-premises server.
        oversized_page: Whether a preference for a larger page is "cut" to the largest, or
            "refused" with 413.
        page_delay_ms: Delay of each response with rows.
        metadata_delay_ms: Delay of the next response with `$metadata`.
        forbidden_tables: Entity sets that the permission sets don't reach.
        permission_status: Status of the refusal of a table or company: 400, 403 or 500.
        guid_comparison: Whether `gt`, `ge`, `lt` and `le` of a GUID are "understood" or "refused".
        compress: Whether callers that accept gzip get gzip.
        app_not_registered: Whether the environment does not know the app: every token is refused.
        writing_pages: Entity sets whose page writes when it is opened, which fails with
            `Data-Access-Intent: ReadOnly`.
        expand_conflicts: Number of reads with `$expand` to refuse with 409. Reads with the header
            `If-Match: *` are not refused.
        odata_off: Whether the OData web services of the on-premises server are switched off.
        link_origin: Scheme, host and port of links, as behind a gateway. Empty takes those of the
            request.
        longest_query: Largest number of characters of a query string online, then 414.
        longest_query_on_premises: The same of the on-premises server, then 400.
    """

    page_size_cap: int = LARGEST_PAGE
    on_premises_page_size_cap: int = LARGEST_PAGE
    oversized_page: str = "cut"
    page_delay_ms: float = 0
    metadata_delay_ms: float = 0
    forbidden_tables: list[str] = field(default_factory=list)
    permission_status: int = 403
    guid_comparison: str = "understood"
    compress: bool = True
    app_not_registered: bool = False
    writing_pages: list[str] = field(default_factory=list)
    expand_conflicts: int = 0
    odata_off: bool = False
    link_origin: str = ""
    longest_query: int = LONGEST_QUERY
    longest_query_on_premises: int = LONGEST_QUERY_ON_PREMISES
