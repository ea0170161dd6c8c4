"""Described tables: the data of Dataverse's metadata streams, from the service or the file."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from tap_dynamics365.errors import REFUSED, ServiceError
from tap_dynamics365.services import schema_map
from tap_dynamics365.services.dataverse import definitions
from tap_dynamics365.services.dataverse.metadata_tables import DescribedTables

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.services.table_definition import Definitions
    from tap_dynamics365.settings import Settings

PRIMARY_IDS = "EntityDefinitions?$select=LogicalName,PrimaryIdAttribute"

logger = logging.getLogger("tap-dynamics365.metadata_streams")


def describe_tables(
    service: Service, settings: Settings, names: Collection[str]
) -> DescribedTables:
    """Read the tables for the metadata streams.

    Args:
        service: A Dataverse.
        settings: Whether tables are selected by name, and whether the description is kept.
        names: The logical names of the tables to describe.

    Returns:
        The tables, in the order of the names.

    Raises:
        MetadataError: The description is not valid.
        ServiceError: The service does not provide table definitions.
        SettingsError: The file with the description does not exist.
    """
    narrowed = bool(settings.tables) and not schema_map.is_kept(settings)
    found = _definitions(service, settings, names if narrowed else None)
    tables = tuple(found.tables[name] for name in names if name in found.tables)
    primary_ids = {table.name: table.primary_id for table in found.tables.values()}
    targets = {target for table in tables for column in table.columns for target in column.targets}
    if narrowed and not targets <= primary_ids.keys():
        primary_ids |= _primary_ids(service.client)
    return DescribedTables(tables, primary_ids)


def _definitions(
    service: Service, settings: Settings, names: Collection[str] | None
) -> Definitions:
    """Read the definitions of tables; `create_map` decides whether from the file."""
    if not schema_map.is_kept(settings):
        return definitions.read(service.client, names)
    kept = schema_map.read(service, settings).definitions
    if not kept.tables:
        msg = (
            "schema_map holds no table definitions, because the service did not provide them when "
            "the file was written."
        )
        raise ServiceError(msg)
    return kept


def _primary_ids(client: ODataClient) -> dict[str, str]:
    """Fetch the primary id of every table, by logical name; empty if the service refuses."""
    try:
        rows = json.loads(client.get(PRIMARY_IDS).content)["value"]
        return {row["LogicalName"]: row["PrimaryIdAttribute"] for row in rows}
    except (ServiceError, ValueError, LookupError, TypeError, RecursionError) as error:
        # A transient failure must not change rows from run to run.
        if isinstance(error, ServiceError) and error.failure not in REFUSED:
            raise
        logger.warning("TargetMetadata.ReferencedAttribute is null for some tables: %s", error)
        return {}
