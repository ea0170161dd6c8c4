"""Table spec: what to extract of a table, as the catalog and the settings say."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_dynamics365.extract.table import TableSpec, check, check_filter
from tap_dynamics365.services import part as parts
from tap_dynamics365.settings import filters
from tap_dynamics365.singer import name_columns, stream_key
from tap_dynamics365.singer.catalog import DELETED_AT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.singerlib import CatalogEntry

    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings


def table_spec(entry: CatalogEntry, method: str, service: Service, settings: Settings) -> TableSpec:
    """Describe what to extract of a table.

    Args:
        entry: The catalog entry of the table.
        method: The replication method.
        service: The service.
        settings: The settings.

    Raises:
        CatalogError: The table can't be replicated as the catalog wants it.
    """
    kind, name, entity_set = service.kind, entry.tap_stream_id, entry.table or ""
    properties: Mapping[str, Any] = entry.schema.to_dict()["properties"]
    mask = entry.metadata.resolve_selection()
    columns = {column: schema for column, schema in properties.items() if column != DELETED_AT}
    check(name, columns, method, entry.replication_key)
    row_filter = filters.find(settings.filters, name)
    if mask[()]:
        check_filter(name, method, row_filter)
    changed_at = kind.parent_changed_at if kind.parent_changed_at in columns else ""
    parent_id = kind.parent_id if kind.parent_id in columns else ""
    # The columns that the tap fills, and does not ask for.
    added = {*parts.columns(kind.part_columns, columns), parent_id, changed_at}
    annotated = name_columns.annotated(entry)
    wanted = [
        annotated.get(column, column)
        for column in columns
        if column not in added and mask["properties", column]
    ]
    return TableSpec(
        name=name,
        entity_set=entity_set,
        place=partial(kind.url, service.client.url),
        schema=columns,
        columns=tuple(name_columns.columns(wanted)),
        annotations=tuple(name_columns.kinds(wanted)),
        row_key=tuple(column for column in stream_key.row_key(entry) if column not in added),
        stream_key=tuple(entry.key_properties or ()),
        method=method,
        replication_key=entry.replication_key,
        is_virtual=bool(entry.is_view),
        partition=kind.partition,
        row_filter=row_filter,
        coverage=kind.coverage(settings),
        parent_id=parent_id,
        changed_at=changed_at,
        may_be_sorted=any(
            fnmatchcase(name.lower(), pattern.lower()) for pattern in settings.sorted_tables
        ),
        is_bound=kind.is_bound(entity_set),
        parents=lambda: kind.parents(service.client, entity_set),
    )
