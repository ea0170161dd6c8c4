"""Describe: reads the tables that the settings select, with their definitions."""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from tap_dynamics365.errors import NoMatchError
from tap_dynamics365.services import schema_map
from tap_dynamics365.settings.names import compare

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


def describe(
    service: Service, settings: Settings, source: str = " of the setting tables"
) -> Iterator[Described]:
    """Read the tables that the settings select.

    Args:
        service: The service.
        settings: The patterns of table names, and the file that keeps the description.
        source: Where the patterns come from, in the words of a message; empty if the user has just
            written them.

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
    arranged = kind.arrange(tables)
    found, unmatched = _match(arranged, patterns)
    messages = [
        f"No table matches {pattern!r}{source}.{_suggestion(pattern, arranged)}"
        for pattern in unmatched
    ]
    if not found:
        raise NoMatchError(" ".join(messages) or "The service has no tables.")
    for message in messages:
        logger.warning("%s", message)
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


def with_choices(service: Service, described: Described) -> Described:
    """Read the choices of a table's columns, which schemas do not need.

    Args:
        service: The service.
        described: The table.

    Returns:
        The table with its whole definition, if the service has one.

    Raises:
        ServiceError: The service refused.
    """
    whole = service.kind.define_whole(service.client, described.table.name)
    return described if whole is None else described._replace(definition=whole)


def _match(tables: Sequence[Table], patterns: Sequence[str]) -> tuple[list[Table], list[str]]:
    """Return the tables that match by name or type, and the patterns without a match."""
    wanted = [pattern.lower() for pattern in patterns]
    names = {table.name.lower() for table in tables}
    found: list[Table] = []
    matched: set[str] = set()
    for table in tables:
        # The type of a table may have the name of another table, which then is meant.
        called = {table.name.lower(), table.type_name.lower() or table.name.lower()}
        called -= names - {table.name.lower()}
        hits = [p for p in wanted if any(fnmatchcase(name, p) for name in called)]
        matched.update(hits)
        if hits or not wanted:
            found.append(table)
    return found, [pattern for pattern in patterns if pattern.lower() not in matched]


def _suggestion(pattern: str, tables: Sequence[Table]) -> str:
    """Return a sentence that names the table that may be meant; empty if none is similar."""
    near = compare(pattern, [table.name for table in tables]).near
    return f" Did you mean {near}?" if near else ""
