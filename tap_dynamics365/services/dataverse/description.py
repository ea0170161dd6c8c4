"""Description of a Dataverse: reads all of it, or what has changed since it was read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from tap_dynamics365.errors import REFUSED, Failure, ServiceError
from tap_dynamics365.http.response import DECODE_ERRORS
from tap_dynamics365.odata.metadata_document import read_metadata
from tap_dynamics365.services.dataverse import definitions, retrieve_metadata_changes
from tap_dynamics365.services.dataverse.map_changes import apply
from tap_dynamics365.services.table_definition import Definitions, Description

if TYPE_CHECKING:
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.settings import Settings

METADATA_VERSION = "Microsoft.Dynamics.CRM.globalmetadataversion"
# One row, to get the annotation. Every Dataverse has this table, and every user may read it.
ONE_ROW = "systemusers?$select=systemuserid&$top=1"

logger = logging.getLogger("tap-dynamics365.schema_map")


class _OneRow(msgspec.Struct):
    version: str | int = msgspec.field(default="", name=f"@{METADATA_VERSION}")


def describe(
    client: ODataClient,
    settings: Settings,  # noqa: ARG001 - the form of the seam
) -> Description:
    """Read the whole description.

    Args:
        client: The client of the service.
        settings: The settings.

    Returns:
        The description.

    Raises:
        MetadataError: The description is not valid.
        ServiceError: The service refused.
    """
    # The version first, so that the next run finds changes made during this one.
    version = _version(client)
    found = definitions.read_if_available(client) or Definitions()
    return Description(tables=tuple(read_metadata(client)), definitions=found, version=version)


def describe_changes(client: ODataClient, known: Description) -> Description | None:
    """Read what has changed since a description.

    Args:
        client: The client of the service.
        known: The description.

    Returns:
        The same description if nothing has changed; None if a full read is needed.

    Raises:
        ServiceError: The service does not respond.
    """
    if not known.definitions.tables:
        # The user may have the rights to read definitions now. Rights are not part of the data
        # model.
        return None
    if not known.definitions.stamp:
        # Without a version, changes can't be detected.
        version = _version(client)
        return known if version and version == known.version else None
    try:
        changed = retrieve_metadata_changes.since(client, known.definitions.stamp)
    except ServiceError as error:
        if error.failure is Failure.TOKEN_EXPIRED:
            logger.info("The service no longer has the changes since schema_map was written.")
        elif error.failure in REFUSED:
            logger.info("Can't read the changes since schema_map was written: %s", error)
        else:
            raise
        return None
    except DECODE_ERRORS as error:
        logger.info("Can't decode the changes since schema_map was written: %s.", error)
        return None
    if not changed.tables and not changed.deleted:
        return known
    count = len(changed.tables)
    logger.info("The description of %d %s has changed.", count, "table" if count == 1 else "tables")
    found, tables = apply(changed, known.definitions, known.tables)
    if tables is None:
        tables = tuple(read_metadata(client))
    return msgspec.structs.replace(known, definitions=found, tables=tables)


def _version(client: ODataClient) -> str | int:
    """Read the version of the data model; empty if the service does not provide it."""
    try:
        response = client.read(
            ONE_ROW,
            lambda response: response,
            prefer=f'odata.include-annotations="{METADATA_VERSION}"',
        )
        return msgspec.json.decode(response.content, type=_OneRow).version
    except (ServiceError, *DECODE_ERRORS) as error:
        logger.debug("Can't read the version of the data model: %s", error)
        return ""
