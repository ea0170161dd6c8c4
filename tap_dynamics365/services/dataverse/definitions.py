"""Table definitions of Dataverse, read in as few requests as the service allows."""

from __future__ import annotations

import logging
from itertools import repeat
from typing import TYPE_CHECKING

from tap_dynamics365.errors import REFUSED, Failure, MetadataError, ServiceError
from tap_dynamics365.http.response import DECODE_ERRORS, SAFE_URL
from tap_dynamics365.services.dataverse import entity_definitions, retrieve_metadata_changes
from tap_dynamics365.services.table_definition import Definitions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.table_definition import TableDefinition

logger = logging.getLogger("tap-dynamics365.definitions")

# The most columns in one response. A column takes some 700 bytes, more with more languages.
MOST_COLUMNS = 60_000

# A warning with the effect on the catalog.
NOT_DESCRIBED = (
    "The service does not provide table definitions (%s). Keys are taken from $metadata, private "
    "tables are not recognized, and columns have no titles."
)


def read(
    client: ODataClient,
    names: Collection[str] | None = None,
    *,
    whole: bool = True,
    table_types: bool = False,
) -> Definitions:
    """Read table definitions.

    Args:
        client: The client of the service.
        names: The logical names of the tables; None for all tables.
        whole: Whether to read choices, descriptions and labels in all languages too, not only what
            the schema of a table needs.
        table_types: Whether to always read the types of tables, which services without elastic
            tables do not have.

    Returns:
        The definitions.

    Raises:
        MetadataError: The definitions are not valid.
        ServiceError: The service does not provide definitions, or does not respond.
    """
    try:
        return _read(client, names, whole=whole, table_types=table_types)
    except ServiceError as error:
        if not _may_be_shorter(client, error):
            raise
        logger.info("Retrying with shorter URLs for table definitions: %s", error)
    client.longest_url = SAFE_URL
    return _read(client, names, whole=whole, table_types=table_types)


def _may_be_shorter(client: ODataClient, error: ServiceError) -> bool:
    return error.failure is Failure.ADDRESS_TOO_LONG and client.longest_url > SAFE_URL


def _read(
    client: ODataClient, names: Collection[str] | None, *, whole: bool, table_types: bool
) -> Definitions:
    try:
        found = retrieve_metadata_changes.read(client, names, whole=whole, table_types=table_types)
    except ServiceError as error:
        if error.failure not in REFUSED or _may_be_shorter(client, error):
            raise
        logger.info("Reading EntityDefinitions instead: %s", error.message)
    except DECODE_ERRORS as error:
        logger.info("Reading EntityDefinitions instead: %s.", _unreadable(error))
    else:
        if found.tables or names is not None:
            return Definitions({table.name: table for table in found.tables}, found.stamp)
        logger.info("Reading EntityDefinitions instead: RetrieveMetadataChanges has no tables.")
    try:
        tables = entity_definitions.read(client, names, whole=whole)
    except DECODE_ERRORS as error:
        msg = f"{_unreadable(error)}."
        raise MetadataError(msg) from error
    if not tables and names is None:
        msg = "The service's table definitions are empty."
        raise MetadataError(msg)
    return Definitions({table.name: table for table in tables})


def read_if_available(
    client: ODataClient,
    names: Collection[str] | None = None,
    *,
    whole: bool = True,
    table_types: bool = False,
) -> Definitions | None:
    """Read table definitions if the service provides them. A catalog can be made without them.

    Args:
        client: The client of the service.
        names: As for `read`.
        whole: As for `read`.
        table_types: As for `read`.

    Returns:
        The definitions; None if the caller may not read them, or the service has none.

    Raises:
        ServiceError: Any other failure, so that catalogs do not differ from day to day.
    """
    try:
        return read(client, names, whole=whole, table_types=table_types)
    except MetadataError as error:
        logger.warning(NOT_DESCRIBED, error)
    except ServiceError as error:
        # Other failures may be temporary, and must not change the catalog.
        if error.failure not in {Failure.DENIED, Failure.GONE}:
            raise
        logger.warning(NOT_DESCRIBED, error)
    return None


def of_tables(
    client: ODataClient,
    tables: Sequence[Table],
    names: Collection[str] | None,
    *,
    table_types: bool,
) -> Iterator[TableDefinition | None]:
    """Read what the schemas of tables need of their definitions, if the service provides them.

    Args:
        client: The client of the service.
        tables: The tables.
        names: The names of the tables; None if these are all tables of the service.
        table_types: As for `read`.

    Yields:
        The definition of each table; None if there is none. The definitions of many columns are
        read in several requests, each when its tables are consumed.

    Raises:
        ServiceError: As for `read_if_available`.
    """
    groups = list(_groups(tables))
    for number, group in enumerate(groups):
        wanted = names if len(groups) == 1 else [table.name for table in group]
        found = read_if_available(client, wanted, whole=False, table_types=table_types)
        if found is None:
            # It would refuse the other groups too.
            yield from repeat(None, sum(map(len, groups[number:])))
            return
        for table in group:
            yield found.tables.get(table.name)
        # Before the next group is read.
        del found


def _groups(tables: Sequence[Table]) -> Iterator[list[Table]]:
    """Divide tables into groups that have few columns in total."""
    group: list[Table] = []
    left = MOST_COLUMNS
    for table in tables:
        left -= len(table.columns)
        if group and left < 0:
            yield group
            group, left = [], MOST_COLUMNS - len(table.columns)
        group.append(table)
    if group:
        yield group


def _unreadable(error: Exception) -> str:
    return f"The service's table definitions can't be decoded ({error})"
