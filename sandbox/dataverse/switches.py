"""Switches: what tests can change while the service runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.query.paging import LARGEST_PAGE


@dataclass
class Switches:
    """What can be changed while the service runs.

    Attributes:
        page_delay_ms: Delay of each response with rows of a table.
        page_size_cap: Largest number of rows in a page.
        forbidden_tables: Logical names of tables that the caller may not read.
        forbidden_tracking: Logical names of tables whose rows the caller may read but whose
            changes the caller may not: reading changes needs access to all rows of the
            organisation.
        compress: Whether callers that accept gzip get gzip.
        authority_url: Scheme and host of the sign-in host that the authentication challenge names.
            Empty takes the address of the request.
        introspection_url: Introspection endpoint of another authority, with the service's name and
            password, whose tokens are accepted too.
        not_a_member: Whether the caller has no user in the organisation.
        disabled_user: Whether the caller's user is disabled.
        no_environments: Whether the Global Discovery Service lists no environments.
        no_metadata_changes: Status that refuses `RetrieveMetadataChanges`. 0 allows the function.
        link_origin: Scheme, host and port of links, as behind a gateway. Empty takes those of the
            request.
        longest_url: Largest number of characters in a URL: IIS or a gateway refuses longer ones
            with `long_url_status` and a web page. 0 leaves the service's own limit alone.
        long_url_status: Status for URLs longer than `longest_url`: 404, 414 or 400.
    """

    page_delay_ms: int = 0
    page_size_cap: int = LARGEST_PAGE
    forbidden_tables: list[str] = field(default_factory=list)
    forbidden_tracking: list[str] = field(default_factory=list)
    compress: bool = True
    authority_url: str = ""
    introspection_url: str = ""
    not_a_member: bool = False
    disabled_user: bool = False
    no_environments: bool = False
    no_metadata_changes: int = 0
    link_origin: str = ""
    longest_url: int = 0
    long_url_status: int = 404
