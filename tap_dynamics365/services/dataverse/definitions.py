"""Table definitions of Dataverse, read in as few requests as the service allows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tap_dynamics365.errors import REFUSED, Failure, MetadataError, ServiceError
from tap_dynamics365.http.response import DECODE_ERRORS, SAFE_URL
from tap_dynamics365.services.dataverse import entity_definitions, retrieve_metadata_changes
from tap_dynamics365.services.table_definition import Definitions

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_dynamics365.odata.client import ODataClient

logger = logging.getLogger("tap-dynamics365.definitions")

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
) -> Definitions:
    """Read table definitions if the service provides them. A catalog can be made without them.

    Args:
        client: The client of the service.
        names: As for `read`.
        whole: As for `read`.
        table_types: As for `read`.

    Returns:
        The definitions; empty if the caller may not read them, or the service has none.

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
    return Definitions()


def _unreadable(error: Exception) -> str:
    return f"The service's table definitions can't be decoded ({error})"
