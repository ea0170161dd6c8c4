"""Discovery: the tables of a service as a Singer catalog."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from singer_sdk.singerlib import Catalog

from tap_dynamics365.odata.json_schema import is_stream
from tap_dynamics365.services.describe import describe
from tap_dynamics365.singer import name_columns
from tap_dynamics365.singer.catalog import catalog_entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.describe import Described
    from tap_dynamics365.services.kind import Service, ServiceKind
    from tap_dynamics365.settings import Settings

logger = logging.getLogger("tap-dynamics365.discovery")


def discover(service: Service, settings: Settings) -> Catalog:
    """Describe the tables of a service as a Singer catalog.

    Args:
        service: The service.
        settings: Which tables are wanted, how they are replicated, and whether labels and names
            have columns of their own.

    Returns:
        An entry for each table, by its name.

    Raises:
        MetadataError: The description is not valid, or no table matches.
        ServiceError: The service refused.
        SettingsError: The description is to come from a file that is not there.
    """
    found = describe(service, settings)
    _report([table for table, _ in found])
    is_selected = service.kind.selects_all or bool(settings.tables)
    if not is_selected:
        logger.info(
            "No table is selected, because %s has thousands. Select tables by the setting tables, "
            "in the catalog, or with meltano select.",
            service.kind.name,
        )
    return make_catalog(found, service.kind, settings, is_selected=is_selected)


def make_catalog(
    found: Iterable[Described], kind: ServiceKind, settings: Settings, *, is_selected: bool
) -> Catalog:
    """Make the Singer catalog of tables.

    Args:
        found: The tables with their definitions.
        kind: The service.
        settings: How tables are replicated, and whether labels and names have columns of their own.
        is_selected: Whether tables are selected that are not private.

    Returns:
        An entry for each table, by its name.
    """
    catalog = Catalog(
        (
            table.name,
            catalog_entry(
                table,
                settings.replication_method,
                definition,
                kind.replication_keys,
                is_selected=is_selected,
            ),
        )
        for table, definition in found
    )
    if settings.show_name_columns:
        name_columns.add(
            catalog,
            {table.name: definition for table, definition in found if definition is not None},
        )
    return catalog


def _report(tables: list[Table]) -> None:
    """Log which tables were found, and what is not selected or left out."""
    count = len(tables)
    logger.info("Discovered %d %s.", count, "table" if count == 1 else "tables")
    for what, names in (
        (
            "Not selected by default (private, computed when read, or without a data provider)",
            _private(tables),
        ),
        ("Left out, because rows do not hold their values (type Edm.Stream)", _streams(tables)),
        ("Left out, because they are parameters of queries", _parameters(tables)),
        ("Tables without a key", [table.name for table in tables if not table.key]),
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
        if is_stream(column)
    ]


def _parameters(tables: list[Table]) -> list[str]:
    return [f"{table.name}.{name}" for table in tables for name in table.parameters]
