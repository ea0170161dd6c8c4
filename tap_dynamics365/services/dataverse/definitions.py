"""What Dataverse says of its tables: read in as few requests as the service allows."""

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

# What it means for a catalog, and why.
NOT_DESCRIBED = (
    "The service does not describe its tables (%s): keys are those of $metadata, private tables "
    "can't be told, and columns have no titles."
)


def read(
    client: ODataClient,
    names: Collection[str] | None = None,
    *,
    whole: bool = True,
    table_types: bool = False,
) -> Definitions:
    """Read what the service says of its tables.

    Args:
        client: The client of the service.
        names: Logical names of the tables wanted; all if None.
        whole: Whether choices, descriptions and labels in all languages are wanted, or only what
            the schema of a table tells.
        table_types: Whether the types of tables are wanted in any case, which services without
            elastic tables do not know.

    Returns:
        The definitions.

    Raises:
        MetadataError: What the service says makes no sense.
        ServiceError: The service does not describe itself, or does not answer.
    """
    try:
        return _read(client, names, whole=whole, table_types=table_types)
    except ServiceError as error:
        if not _may_be_shorter(client, error):
            raise
        logger.info("Tables are asked for with shorter addresses: %s", error)
    client.longest_url = SAFE_URL
    return _read(client, names, whole=whole, table_types=table_types)


def _may_be_shorter(client: ODataClient, error: ServiceError) -> bool:
    return error.failure is Failure.ADDRESS_TOO_LONG and client.longest_url > SAFE_URL


def _read(
    client: ODataClient, names: Collection[str] | None, *, whole: bool, table_types: bool
) -> Definitions:
    try:
        told = retrieve_metadata_changes.read(client, names, whole=whole, table_types=table_types)
    except ServiceError as error:
        if error.failure not in REFUSED or _may_be_shorter(client, error):
            raise
        logger.info("Its tables are described by EntityDefinitions: %s", error.message)
    except DECODE_ERRORS as error:
        logger.info("Its tables are described by EntityDefinitions: %s.", _unreadable(error))
    else:
        if told.tables or names is not None:
            return Definitions({table.name: table for table in told.tables}, told.stamp)
        logger.info("Its tables are described by EntityDefinitions: the function tells of none.")
    try:
        tables = entity_definitions.read(client, names, whole=whole)
    except DECODE_ERRORS as error:
        msg = f"{_unreadable(error)}."
        raise MetadataError(msg) from error
    if not tables and names is None:
        msg = "The service's description of its tables tells of none."
        raise MetadataError(msg)
    return Definitions({table.name: table for table in tables})


def read_if_available(
    client: ODataClient,
    names: Collection[str] | None = None,
    *,
    whole: bool = True,
    table_types: bool = False,
) -> Definitions:
    """Read what the service says of its tables, if it says anything: a catalog can do without.

    Args:
        client: The client of the service.
        names: As of `read`.
        whole: As of `read`.
        table_types: As of `read`.

    Returns:
        The definitions; none if it does not describe itself to the caller.

    Raises:
        ServiceError: The service does not answer. What it would say is not known, and catalogs
            are not to differ from day to day.
    """
    try:
        return read(client, names, whole=whole, table_types=table_types)
    except MetadataError as error:
        logger.warning(NOT_DESCRIBED, error)
    except ServiceError as error:
        # Only what the service says of itself: catalogs are not to differ from day to day for a
        # failure that nobody knows.
        if error.failure not in {Failure.DENIED, Failure.GONE}:
            raise
        logger.warning(NOT_DESCRIBED, error)
    return Definitions()


def _unreadable(error: Exception) -> str:
    return f"The service's description of its tables makes no sense ({error})"
