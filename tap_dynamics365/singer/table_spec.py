"""Table spec: what to extract of a table, as the catalog and the settings say."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from tap_dynamics365.extract.table import TableSpec, check, check_filter
from tap_dynamics365.services import part as parts
from tap_dynamics365.settings import filters
from tap_dynamics365.singer import name_columns, stream_key
from tap_dynamics365.singer.catalog import DELETED_AT

if TYPE_CHECKING:
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings
    from tap_dynamics365.singer.table_stream import TableStream


def table_spec(stream: TableStream, service: Service, settings: Settings) -> TableSpec:
    """Describe what to extract of a table.

    Args:
        stream: The stream of the table.
        service: The service.
        settings: The settings.

    Raises:
        CatalogError: The table can't be replicated as the catalog wants it.
    """
    entry, kind, properties = stream.entry, service.kind, stream.schema["properties"]
    entity_set, method = entry.table or "", stream.replication_method
    columns = {name: schema for name, schema in properties.items() if name != DELETED_AT}
    check(stream.name, columns, method, entry.replication_key)
    row_filter = filters.find(settings.filters, stream.name)
    if stream.selected:
        check_filter(stream.name, method, row_filter)
    changed_at = kind.parent_changed_at if kind.parent_changed_at in columns else ""
    parent_id = kind.parent_id if kind.parent_id in columns else ""
    # The columns that the tap fills, and does not ask for.
    added = {*parts.columns(kind.part_columns, columns), parent_id, changed_at}
    wanted = [
        stream.annotated.get(name, name)
        for name in columns
        if name not in added and stream.mask["properties", name]
    ]
    return TableSpec(
        name=stream.name,
        entity_set=entity_set,
        place=partial(kind.url, service.client.url),
        schema=columns,
        columns=tuple(name_columns.columns(wanted)),
        annotations=tuple(name_columns.kinds(wanted)),
        row_key=tuple(name for name in stream_key.row_key(entry) if name not in added),
        stream_key=tuple(stream.primary_keys),
        method=method,
        replication_key=entry.replication_key,
        is_virtual=bool(entry.is_view),
        partition=kind.partition,
        row_filter=row_filter,
        coverage=kind.coverage(settings),
        parent_id=parent_id,
        changed_at=changed_at,
        may_be_sorted=any(
            fnmatchcase(stream.name.lower(), pattern.lower()) for pattern in settings.sorted_tables
        ),
        is_bound=kind.is_bound(entity_set),
        parents=lambda: kind.parents(service.client, entity_set),
    )
