"""ServiceKind: everything that differs between the services of Dynamics 365."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.odata.dialect import Dialect
from tap_dynamics365.odata.metadata_document import read_metadata
from tap_dynamics365.services.limits import Limits
from tap_dynamics365.services.only_of import check_business_central, check_finance_operations
from tap_dynamics365.services.set_up import SetUp
from tap_dynamics365.services.table_definition import Description

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.conversion import Conversion
    from tap_dynamics365.services.coverage import Coverage
    from tap_dynamics365.services.directory import Directory
    from tap_dynamics365.services.parent_path import ParentPath
    from tap_dynamics365.services.part import Part
    from tap_dynamics365.services.read_rights import ReadRights
    from tap_dynamics365.services.selected_table import SelectedTable
    from tap_dynamics365.services.table_definition import TableDefinition
    from tap_dynamics365.settings import Settings


@dataclass(frozen=True)
class Identity:
    """The user that a service takes the caller for.

    Attributes:
        user: The user's name and ID, as far as they may be read; empty if the service does not
            name the user.
        organization: The name and ID of the organization.
        page: Both in a few words, without IDs.
    """

    user: str
    organization: str
    page: str

    def known_as(self, account: str) -> Identity:
        """Name the user, if the service does not.

        Args:
            account: The account in the access token; empty if it names none.
        """
        if self.user or not account:
            return self
        return replace(self, user=account, page=f"As {account}. {self.page}")


def _complete_url(url: str) -> str:
    """Return any URL as it is."""
    return url


def _check_url(url: str) -> None:
    """Accept any URL."""


def _check_address(client: ODataClient) -> None:
    """Accept any address."""


def _token_uri(url: str) -> None:  # noqa: ARG001 - a service that itself names its sign-in host
    return None


def _check_settings(settings: Settings) -> None:
    """Refuse what only other services have."""
    check_finance_operations(settings)
    check_business_central(settings)


def _query_options(
    settings: Settings,  # noqa: ARG001 - the default of a callable
) -> Mapping[str, str]:
    return {}


def _notices(
    settings: Settings,  # noqa: ARG001 - as above
    tables: Iterable[SelectedTable],  # noqa: ARG001
) -> Iterable[str]:
    return ()


def _coverage(settings: Settings) -> None:  # noqa: ARG001 - a service with one part
    return None


def _read_tables(
    client: ODataClient,
    settings: Settings,  # noqa: ARG001 - a service with one metadata document
) -> Sequence[Table]:
    return read_metadata(client)


def _describe(client: ODataClient, settings: Settings) -> Description:
    return Description(tables=tuple(_read_tables(client, settings)))


def _define(
    client: ODataClient,  # noqa: ARG001 - a service without definitions
    tables: Sequence[Table],
    names: Collection[str] | None,  # noqa: ARG001
) -> Iterator[TableDefinition | None]:
    return repeat(None, len(tables))


def _define_whole(
    client: ODataClient,  # noqa: ARG001 - as above
    name: str,  # noqa: ARG001
) -> TableDefinition | None:
    return None


def _refine(table: Table, definition: TableDefinition | None) -> Table:  # noqa: ARG001 - as above
    return table


def _arrange(tables: Sequence[Table]) -> Sequence[Table]:
    return tables


def _parts(
    client: ODataClient,  # noqa: ARG001 - a service without parts
    settings: Settings,  # noqa: ARG001
) -> Sequence[Part]:
    return ()


def _conversion(
    schema: Mapping[str, Any],  # noqa: ARG001 - a service that sends values as they are
    settings: Settings,  # noqa: ARG001
) -> Conversion | None:
    return None


def _describe_values(
    table: Table,
    settings: Settings,  # noqa: ARG001 - as above
) -> Table:
    return table


def _url(root: str, entity_set: str, part: Part | None) -> str:
    return f"{root}{part.path if part else ''}{quote(entity_set)}"


def _is_bound(entity_set: str) -> bool:  # noqa: ARG001 - a service without such sets
    return False


def _parents(
    client: ODataClient,  # noqa: ARG001 - as above
    entity_set: str,  # noqa: ARG001
) -> Sequence[ParentPath]:
    return ()


def _who_am_i(client: ODataClient) -> Identity:
    # A response is all that such a service offers.
    read_object(client, "")
    place = urlsplit(client.url).netloc
    return Identity("", "not named", f"At {place}.")


class ExtraStream(Protocol):
    """A stream that describes the service."""

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a row."""

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the rows."""

    @property
    def rows(self) -> Callable[[Any], Iterator[dict[str, Any]]]:
        """Makes the rows of what `describe_streams` returned."""


@dataclass(frozen=True, kw_only=True)
class ServiceKind:
    """One of the services. The defaults are those of a plain OData 4 service.

    Attributes:
        name: The name of the service.
        matches: Tells whether a URL belongs to the service.
        complete_url: Returns the URL of the API for a URL that people have instead, such as that of
            an environment or a page in it, with its options. Returns any other URL as it is.
        check_url: Checks that a URL of the service is the URL of its API.
        url_options: The names of the options that the query of `service_url` may have, which go
            with each request. Case-insensitive.
        check_address: Asks the service about a URL that is incomplete, and raises with what the
            service says. Sends nothing if the URL is complete.
        check_settings: Checks that no setting asks for what the service does not have.
        directory: The list of the environments; None if there is none.
        no_directory: Says where people see the URLs of the environments, if there is no list.
        token_uri: Returns the token endpoint that belongs to a URL of the service; None if the URL
            does not say.
        permission: The delegated permission of an app for which a person signs in.
        set_up: What people do once, so that the service accepts a sign-in.
        dialect: How the service speaks OData.
        replication_keys: Columns that grow with each change. The first one that a table has is its
            replication key.
        created_at: The column with the time at which a row was created, which never changes. Empty
            if there is none.
        tracks_changes: Whether tables of the service can be replicated LOG_BASED.
        selects_all: Whether discovery selects all tables if the settings name none.
        many_tables: Above this number of selected tables, a warning says how to select fewer.
        query_options: Returns the options of the query of each request for rows.
        notices: Returns what a user has to know about the rows of the selected tables, one sentence
            or two each.
        partition: The column that is a part of the key where it is in use: the primary id alone is
            not unique then. Empty if there is none.
        coverage: Returns which part of the rows the settings select, if they are divided.
        arrange: Chooses the tables that are streams, and adds the columns that the tap itself
            fills.
        parts_name: What the parts of the service are called, in the plural; empty if there are
            none.
        part_columns: The columns that the tap adds to the rows of each part of the service. The
            first one identifies the part.
        parts: Reads the parts of the service that tables with these columns have rows in, selected
            or not.
        url: Returns the URL of the rows of an entity set, by the service root, the name of the set
            as the catalog has it, and a part (None without one).
        is_bound: Tells whether an entity set can only be read through the rows of other tables.
        parents: Reads the ways to the rows of such a set.
        parent_id: The column, which the tap adds to the rows of such sets, of the id of the parent.
            Empty if there is none.
        parent_changed_at: The column, which the tap adds to the rows of such sets, of the time of
            the last change of the parent. Empty if there is none.
        conversion: Returns how values of a column, with its JSON Schema, are converted; None if
            they are sent as they are.
        describe_values: Describes the values of a table's columns as they are after conversion.
        read_tables: Reads the tables of the metadata documents that the settings name.
        describe: Reads the whole description of the service.
        describe_changes: Reads what has changed since a description. Returns the same description
            if nothing has changed, and None if the description has to be read in full. None if the
            service does not provide changes.
        define: Yields the definition of each table, or None if there is none. The definitions are
            read while they are consumed, so that they need not be in memory together. The names
            are those of the tables; None if these are all tables of the service.
        define_whole: Reads the whole definition of a table, with its choices; None if `define` has
            all that the service provides.
        refine: Corrects key, privacy and change tracking of a table by its definition.
        limits: What the service lets one user take.
        count_rows: Reads about how many rows tables have; None if the service does not say.
        who_am_i: Reads which user the service takes the caller for.
        read_rights: Reads of which of the named tables the caller may read all rows; None if the
            service does not say.
        extra_streams: Streams that describe the service, by name.
        describe_streams: Reads what these streams send, for the tables with these names.
    """

    name: str
    matches: Callable[[str], bool]
    complete_url: Callable[[str], str] = _complete_url
    check_url: Callable[[str], None] = _check_url
    url_options: frozenset[str] = frozenset()
    check_address: Callable[[ODataClient], None] = _check_address
    check_settings: Callable[[Settings], None] = _check_settings
    directory: Directory | None = None
    no_directory: str = ""
    token_uri: Callable[[str], str | None] = _token_uri
    permission: str = "user_impersonation"
    set_up: SetUp = field(default_factory=SetUp)
    dialect: Dialect = field(default_factory=Dialect)
    replication_keys: tuple[str, ...] = ()
    created_at: str = ""
    tracks_changes: bool = True
    selects_all: bool = True
    many_tables: float = math.inf
    query_options: Callable[[Settings], Mapping[str, str]] = _query_options
    notices: Callable[[Settings, Iterable[SelectedTable]], Iterable[str]] = _notices
    partition: str = ""
    coverage: Callable[[Settings], Coverage | None] = _coverage
    arrange: Callable[[Sequence[Table]], Sequence[Table]] = _arrange
    parts_name: str = ""
    part_columns: tuple[str, ...] = ()
    parts: Callable[[ODataClient, Settings], Sequence[Part]] = _parts
    url: Callable[[str, str, Part | None], str] = _url
    is_bound: Callable[[str], bool] = _is_bound
    parents: Callable[[ODataClient, str], Sequence[ParentPath]] = _parents
    parent_id: str = ""
    parent_changed_at: str = ""
    conversion: Callable[[Mapping[str, Any], Settings], Conversion | None] = _conversion
    describe_values: Callable[[Table, Settings], Table] = _describe_values
    read_tables: Callable[[ODataClient, Settings], Sequence[Table]] = _read_tables
    describe: Callable[[ODataClient, Settings], Description] = _describe
    describe_changes: Callable[[ODataClient, Description], Description | None] | None = None
    define: Callable[
        [ODataClient, Sequence[Table], Collection[str] | None], Iterator[TableDefinition | None]
    ] = _define
    define_whole: Callable[[ODataClient, str], TableDefinition | None] = _define_whole
    refine: Callable[[Table, TableDefinition | None], Table] = _refine
    limits: Limits = field(default_factory=Limits)
    count_rows: Callable[[ODataClient, Sequence[str]], Iterator[tuple[str, int]]] | None = None
    who_am_i: Callable[[ODataClient], Identity] = _who_am_i
    read_rights: Callable[[ODataClient, Collection[str]], ReadRights] | None = None
    extra_streams: Mapping[str, ExtraStream] = field(default_factory=dict)
    describe_streams: Callable[[Service, Settings, Collection[str]], Any] | None = None


@dataclass(frozen=True)
class Service:
    """An open connection to one service.

    Attributes:
        kind: Which of the services it is.
        client: Sends requests to it.
    """

    kind: ServiceKind
    client: ODataClient


def read_object(client: ODataClient, path: str) -> dict[str, Any]:
    """Read one JSON object.

    Args:
        client: The client of the service.
        path: The path and query below the service root.

    Returns:
        The object.

    Raises:
        ServiceError: The service refused, or sent something else.
    """
    try:
        answer = json.loads(client.get(path).content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        msg = f"What answered at {client.url} is not a Dynamics 365: check service_url."
        raise ServiceError(msg)
    return answer
