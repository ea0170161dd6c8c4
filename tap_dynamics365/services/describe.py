"""Describe: reads the tables that the settings select, with their definitions."""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from tap_dynamics365.errors import MetadataError, NoMatchError
from tap_dynamics365.services import schema_map

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.services.table_definition import TableDefinition
    from tap_dynamics365.settings import Settings

logger = logging.getLogger("tap-dynamics365.discovery")


class Described(NamedTuple):
    """A table and its definition.

    Attributes:
        table: The table of the metadata document, corrected by its definition.
        definition: The definition of the table; None if the service does not provide it.
    """

    table: Table
    definition: TableDefinition | None


def describe(service: Service, settings: Settings) -> Iterator[Described]:
    """Read the tables that the settings select.

    Args:
        service: The service.
        settings: The patterns of table names, and the file that keeps the description.

    Returns:
        The tables. Their definitions are read while they are consumed, because those of all tables
        may not fit into memory.

    Raises:
        MetadataError: The description is not valid, or no table matches.
        ServiceError: The service refused; also while the tables are consumed.
        SettingsError: The file with the description does not exist.
    """
    kind = service.kind
    patterns = settings.tables
    kept = schema_map.read(service, settings) if schema_map.is_kept(settings) else None
    tables = kind.read_tables(service.client, settings) if kept is None else kept.tables
    found = list(_matching(kind.arrange(tables), patterns))
    if not found:
        if not patterns:
            msg = "The service has no tables."
            raise MetadataError(msg)
        msg = f"No table matches the setting tables ({', '.join(patterns)})."
        raise NoMatchError(msg)
    names = [table.name for table in found]
    definitions = (
        kind.define(service.client, found, names if patterns else None)
        if kept is None
        else map(kept.definitions.tables.get, names)
    )
    return (
        Described(kind.describe_values(kind.refine(table, definition), settings), definition)
        for table, definition in zip(found, definitions, strict=True)
    )


def _matching(tables: Sequence[Table], patterns: Sequence[str]) -> Iterator[Table]:
    """Yield the tables that match by name or type, and log patterns without a match."""
    wanted = [pattern.lower() for pattern in patterns]
    names = {table.name.lower() for table in tables}
    matched: set[str] = set()
    for table in tables:
        # The type of a table may have the name of another table, which then is meant.
        called = {table.name.lower(), table.type_name.lower() or table.name.lower()}
        called -= names - {table.name.lower()}
        hits = [p for p in wanted if any(fnmatchcase(name, p) for name in called)]
        matched.update(hits)
        if hits or not wanted:
            yield table
    for pattern in patterns:
        if pattern.lower() not in matched:
            logger.warning("No table matches %r of the setting tables.", pattern)
