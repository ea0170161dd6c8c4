"""Table spec of a catalog entry: what to extract of a table, as the catalog says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.extract import table_spec as specs
from tap_dynamics365.extract.read import DELETED_AT
from tap_dynamics365.extract.table import check, check_filter
from tap_dynamics365.settings import filters
from tap_dynamics365.singer import name_columns, stream_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.singerlib import CatalogEntry

    from tap_dynamics365.extract.table import TableSpec
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
    name = entry.tap_stream_id
    properties: Mapping[str, Any] = entry.schema.to_dict()["properties"]
    mask = entry.metadata.resolve_selection()
    columns = {column: schema for column, schema in properties.items() if column != DELETED_AT}
    check(name, columns, method, entry.replication_key)
    if mask[()]:
        check_filter(name, method, filters.find(settings.filters, name))
    return specs.table_spec(
        service,
        settings,
        name,
        entry.table or "",
        schema=columns,
        wanted=[column for column in columns if mask["properties", column]],
        row_key=stream_key.row_key(entry),
        stream_key=entry.key_properties or (),
        annotated=name_columns.annotated(entry),
        method=method,
        replication_key=entry.replication_key,
        is_virtual=bool(entry.is_view),
    )
