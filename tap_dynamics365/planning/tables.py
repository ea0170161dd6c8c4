"""Planned tables: what a run would extract of each selected table, and of each of its parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import structs

from tap_dynamics365.extract.read import INCREMENTAL
from tap_dynamics365.services import part as parts
from tap_dynamics365.services.describe import Described
from tap_dynamics365.singer.discovery import make_entries
from tap_dynamics365.singer.table_spec import table_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.singerlib import CatalogEntry

    from tap_dynamics365.extract.table import TableSpec
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings


NO_KEYS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class PlannedTable:
    """A table that a run extracts.

    Attributes:
        name: The name.
        label: The display name; None if the service has none.
        parts: What to extract of the whole table, or of each of its selected parts, such as
            companies.
        is_divided: Whether the table has parts.
        tracks_changes: Whether the service tracks its changes.
    """

    name: str
    label: str | None
    parts: Sequence[TableSpec]
    is_divided: bool = False
    tracks_changes: bool = False


def planned_tables(
    entries: Iterable[CatalogEntry],
    described: Mapping[str, Described],
    service: Service,
    settings: Settings,
) -> list[PlannedTable]:
    """Say what a run extracts of the tables of a catalog.

    Args:
        entries: The entries of the catalog. Those that are not selected are left out.
        described: The tables by name, as far as they are known.
        service: The service.
        settings: The settings.

    Raises:
        CatalogError: A table can't be replicated as its entry wants it.
        ServiceError: The parts of the service can't be listed.
        SettingsError: The setting companies matches no company.
    """
    kind, found = service.kind, []
    every = [part for part in kind.parts(service.client, settings) if part.is_selected]
    for entry in entries:
        if not entry.metadata.resolve_selection()[()]:
            continue
        spec = table_spec(entry, entry.replication_method or INCREMENTAL, service, settings)
        columns = parts.columns(kind.part_columns, spec.schema)
        known = described.get(entry.tap_stream_id)
        definition = known.definition if known else None
        found.append(
            PlannedTable(
                name=entry.tap_stream_id,
                label=definition.display_name.text if definition else None,
                parts=[spec.in_part(part, columns) for part in every] if columns else [spec],
                is_divided=bool(columns),
                tracks_changes=known is not None and known.table.tracked,
            )
        )
    return found


def whole_tables(
    found: Sequence[Described],
    service: Service,
    settings: Settings,
    keys: Mapping[str, str] = NO_KEYS,
) -> list[PlannedTable]:
    """Say what a first run extracts of tables, private ones too, with all their columns.

    Args:
        found: The tables.
        service: The service.
        settings: The settings.
        keys: The replication keys of tables; others have the one that discovery finds.

    Raises:
        ServiceError: The parts of the service can't be listed.
    """
    settings = replace(settings, replication_method=INCREMENTAL)
    listed = [Described(structs.replace(table, private=False), each) for table, each in found]
    entries = [*make_entries(listed, service.kind, settings, is_selected=True)]
    for entry in entries:
        if key := keys.get(entry.tap_stream_id):
            entry.replication_key, entry.replication_method = key, INCREMENTAL
    described = {each.table.name: each for each in found}
    return planned_tables(entries, described, service, settings)
