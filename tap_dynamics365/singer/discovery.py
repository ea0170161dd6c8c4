"""What there is to extract: from the service's metadata to a Singer catalog."""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec.structs import replace
from singer_sdk.singerlib import Catalog

from tap_dynamics365.errors import MetadataError
from tap_dynamics365.odata.metadata_document import read_metadata
from tap_dynamics365.services.dataverse import definitions, schema_map
from tap_dynamics365.singer import catalog as schema
from tap_dynamics365.singer import name_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_dynamics365.odata.client import Service
    from tap_dynamics365.odata.csdl import Table
    from tap_dynamics365.services.table_definition import TableDefinition
    from tap_dynamics365.settings import Settings

logger = logging.getLogger("tap-dynamics365.discovery")

# The data provider of virtual tables that have none: they can't be listed.
NO_PROVIDER = "7015a531-cc0d-4537-b5f2-c882a1eb65ad"
# The type of tables whose rows have partitions, and another column that they all have.
ELASTIC, TIME_TO_LIVE = "Elastic", "ttlinseconds"


def discover(service: Service, settings: Settings) -> Catalog:
    """Describe the service's tables as a Singer catalog.

    Args:
        service: The service.
        settings: Which tables are wanted, how those that can are to be replicated, and whether
            labels and names have columns of their own.

    Returns:
        An entry for each table that matches, by its name.

    Raises:
        MetadataError: The description makes no sense, or no table matches.
        ServiceError: The service refused.
        SettingsError: The description is to come from a file, and is not there.
    """
    patterns = settings.tables
    kept = schema_map.read(service, settings) if schema_map.is_kept(settings) else None
    tables = read_metadata(service) if kept is None else kept.tables
    found = list(_matching(tables, patterns))
    if not found:
        msg = f"No table matches the setting tables ({', '.join(patterns)})."
        raise MetadataError(msg if patterns else "The service has no tables.")
    if kept is not None:
        described = kept.definitions.tables
    else:
        described = _definitions(service, found, is_all=not patterns)
    found = [_refine(table, described.get(table.name)) for table in found]
    _report(found)
    catalog = Catalog(
        (
            table.name,
            schema.catalog_entry(table, settings.replication_method, described.get(table.name)),
        )
        for table in found
    )
    if settings.show_name_columns:
        name_columns.add(catalog, described)
    return catalog


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


def _definitions(
    service: Service, tables: list[Table], *, is_all: bool
) -> dict[str, TableDefinition]:
    """Read what Dataverse says of tables, by name; nothing if it won't."""
    if not service.is_dataverse:
        return {}
    return definitions.read_if_told(
        service,
        None if is_all else [table.name for table in tables],
        whole=False,
        table_types=any(map(_has_partitions, tables)),
    ).tables


def _refine(table: Table, definition: TableDefinition | None) -> Table:
    """Put key, privacy and change tracking right.

    Dataverse's own description of its tables knows better than CSDL which column is the primary
    id, and which tables are not for everybody.
    """
    if definition is not None:
        table = _described(table, definition)
    if _is_elastic(table, definition) and table.key and schema.PARTITION_ID not in table.key:
        return replace(table, key=(*table.key, schema.PARTITION_ID))
    return table


def _has_partitions(table: Table) -> bool:
    return any(column.name == schema.PARTITION_ID for column in table.columns)


def _is_elastic(table: Table, definition: TableDefinition | None) -> bool:
    """Tell whether a table is elastic; by its columns, where the service does not tell types."""
    if not _has_partitions(table):
        return False
    if definition is None or definition.table_type is None:
        return any(column.name == TIME_TO_LIVE for column in table.columns)
    return definition.table_type == ELASTIC


def _described(table: Table, definition: TableDefinition) -> Table:
    """Take over what Dataverse says of a table."""
    # Where CSDL has a key of several parts, one of them does not tell rows apart.
    better = len(table.key) < 2 and any(  # noqa: PLR2004
        column.name == definition.primary_id for column in table.columns
    )
    return replace(
        table,
        key=(definition.primary_id,) if better else table.key,
        private=definition.private or definition.provider == NO_PROVIDER,
        tracked=table.tracked or definition.tracked,
    )


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
