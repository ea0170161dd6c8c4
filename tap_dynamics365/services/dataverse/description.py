"""The whole description of a Dataverse, and what has changed since it was read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from tap_dynamics365.errors import REFUSED, Failure, ServiceError
from tap_dynamics365.http.response import DECODE_ERRORS
from tap_dynamics365.odata.metadata_document import read_metadata
from tap_dynamics365.services.dataverse import definitions, retrieve_metadata_changes
from tap_dynamics365.services.dataverse.map_changes import apply
from tap_dynamics365.services.table_definition import Description

if TYPE_CHECKING:
    from tap_dynamics365.odata.client import ODataClient

METADATA_VERSION = "Microsoft.Dynamics.CRM.globalmetadataversion"
# One row of a table that every Dataverse has and every user may read, to get the annotation.
ONE_ROW = "systemusers?$select=systemuserid&$top=1"

logger = logging.getLogger("tap-dynamics365.schema_map")


class _OneRow(msgspec.Struct):
    version: str | int = msgspec.field(default="", name=f"@{METADATA_VERSION}")


def describe(client: ODataClient) -> Description:
    """Read the whole description.

    Args:
        client: The client of the service.

    Returns:
        The description.

    Raises:
        MetadataError: The description is not valid.
        ServiceError: The service refused.
    """
    # The version first: a change after it is found by the next run.
    version = _version(client)
    told = definitions.read_if_available(client)
    return Description(tables=tuple(read_metadata(client)), definitions=told, version=version)


def describe_changes(client: ODataClient, known: Description) -> Description | None:
    """Read what has changed since a description.

    Args:
        client: The client of the service.
        known: The description.

    Returns:
        The same description if nothing has changed; None if it has to be read anew.

    Raises:
        ServiceError: The service does not answer.
    """
    if not known.definitions.tables:
        # The service may tell now what it did not tell then: rights are not part of the data model.
        return None
    if not known.definitions.stamp:
        # A service that tells no version does not tell whether it has changed.
        version = _version(client)
        return known if version and version == known.version else None
    try:
        changed = retrieve_metadata_changes.since(client, known.definitions.stamp)
    except ServiceError as error:
        if error.failure is Failure.TOKEN_EXPIRED:
            logger.info("What has changed since schema_map was written can't be told any more.")
        elif error.failure in REFUSED:
            logger.info("What has changed since schema_map was written can't be told: %s", error)
        else:
            raise
        return None
    except DECODE_ERRORS as error:
        logger.info("What has changed since schema_map was written makes no sense: %s.", error)
        return None
    if not changed.tables and not changed.deleted:
        return known
    logger.info("Of %d tables the description has changed.", len(changed.tables))
    told, tables = apply(changed, known.definitions, known.tables)
    if tables is None:
        tables = tuple(read_metadata(client))
    return msgspec.structs.replace(known, definitions=told, tables=tables)


def _version(client: ODataClient) -> str | int:
    """Read the version of the data model; empty if the service does not tell it."""
    try:
        response = client.read(
            ONE_ROW,
            lambda response: response,
            prefer=f'odata.include-annotations="{METADATA_VERSION}"',
        )
        return msgspec.json.decode(response.content, type=_OneRow).version
    except (ServiceError, *DECODE_ERRORS) as error:
        logger.debug("The version of the data model can't be told: %s", error)
        return ""
