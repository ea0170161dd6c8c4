"""What there is to extract: from the service's metadata to a Singer catalog."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import Catalog

from tap_dynamics365 import metadata, schema
from tap_dynamics365.errors import MetadataError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_dynamics365.metadata import Table
    from tap_dynamics365.service import Service

logger = logging.getLogger("tap-dynamics365.discovery")

CHUNK_BYTES = 64 * 1024

# Dataverse's own description of its tables knows better than CSDL which column is the primary id
# and which tables are not for everybody. It has no pages.
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api
DEFINITIONS = (
    "EntityDefinitions?$select=LogicalName,PrimaryIdAttribute,IsPrivate,DataProviderId,"
    "ChangeTrackingEnabled"
)
# The data provider of virtual tables that have none: they can't be listed.
NO_PROVIDER = "7015a531-cc0d-4537-b5f2-c882a1eb65ad"


def discover(service: Service, patterns: Sequence[str], method: str) -> Catalog:
    """Describe the service's tables as a Singer catalog.

    Args:
        service: The service.
        patterns: Names of the tables wanted, or shell-style patterns; all if empty.
        method: How tables that can are to be replicated: INCREMENTAL or LOG_BASED.

    Returns:
        An entry for each table that matches, by its name.

    Raises:
        MetadataError: The description makes no sense, or no table matches.
        ServiceError: The service refused.
    """
    found = list(_matching(tables(service), patterns))
    if not found:
        msg = f"No table matches the setting tables ({', '.join(patterns)})."
        raise MetadataError(msg if patterns else "The service has no tables.")
    if service.is_dataverse:
        found = _refine(found, _definitions(service))
    _report(found)
    return Catalog((table.name, schema.catalog_entry(table, method)) for table in found)


def tables(service: Service) -> list[Table]:
    """Read `$metadata` while it arrives: it has megabytes.

    Args:
        service: The service.

    Returns:
        Its tables.

    Raises:
        MetadataError: The description makes no sense.
        ServiceError: The service refused.
    """
    # Only Dataverse keeps descriptions back until they are asked for.
    path = "$metadata?annotations=true" if service.is_dataverse else "$metadata"
    return service.read(
        path,
        lambda response: metadata.read(response.iter_content(CHUNK_BYTES)),
        accept="application/xml",
    )


def _matching(tables: Iterable[Table], patterns: Sequence[str]) -> Iterable[Table]:
    """Yield the tables whose name matches, and name the patterns that match nothing."""
    wanted = [pattern.lower() for pattern in patterns]
    matched: set[str] = set()
    for table in tables:
        hits = [pattern for pattern in wanted if fnmatchcase(table.name.lower(), pattern)]
        matched.update(hits)
        if hits or not wanted:
            yield table
    for pattern in patterns:
        if pattern.lower() not in matched:
            logger.warning("No table matches %r of the setting tables.", pattern)


def _definitions(service: Service) -> dict[str, dict[str, Any]]:
    """Fetch what Dataverse says of each table, by logical name; nothing if it won't."""
    try:
        response = service.get(DEFINITIONS)
        return {row["LogicalName"]: row for row in json.loads(response.content)["value"]}
    except (ServiceError, ValueError, LookupError, TypeError, RecursionError) as error:
        logger.warning(
            "The service does not describe its tables (%s): keys are those of $metadata, and "
            "private tables can't be told.",
            error,
        )
        return {}


def _refine(tables: list[Table], definitions: dict[str, dict[str, Any]]) -> list[Table]:
    """Put primary id, privacy and change tracking right."""
    refined = []
    for table in tables:
        definition = definitions.get(table.name, {})
        primary_id = str(definition.get("PrimaryIdAttribute"))
        names = {column.name for column in table.columns}
        # Where CSDL has a key of several parts, one of them does not tell rows apart.
        better = primary_id in names and len(table.key) < 2  # noqa: PLR2004
        refined.append(
            replace(
                table,
                key=(primary_id,) if better else table.key,
                private=bool(definition.get("IsPrivate"))
                or definition.get("DataProviderId") == NO_PROVIDER,
                tracked=table.tracked or bool(definition.get("ChangeTrackingEnabled")),
            )
        )
    return refined


def _report(tables: list[Table]) -> None:
    """Say what was found, and what can be had only otherwise or by choice."""
    logger.info("Discovered %d tables.", len(tables))
    for what, names in (
        ("Not selected unless asked for, being private or without a provider", _private(tables)),
        ("Left out, their values not being in the rows (type Edm.Stream)", _streams(tables)),
        ("Without a key", [table.name for table in tables if not table.key]),
    ):
        if names:
            logger.info("%s: %s.", what, ", ".join(names))


def _private(tables: list[Table]) -> list[str]:
    return [table.name for table in tables if table.private]


def _streams(tables: list[Table]) -> list[str]:
    return [
        f"{table.name}.{column.name}"
        for table in tables
        for column in table.columns
        if schema.is_stream(column)
    ]
