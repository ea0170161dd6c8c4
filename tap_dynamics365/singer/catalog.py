"""Singer catalog: the catalog entry of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import Catalog, CatalogEntry, Metadata, MetadataMapping, Schema

from tap_dynamics365.extract.read import DELETED_AT, INCREMENTAL, LOG_BASED
from tap_dynamics365.extract.replication import best_method, possible_replication_keys
from tap_dynamics365.services.table_schema import json_schema
from tap_dynamics365.singer import name_columns, stream_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.table_definition import TableDefinition


def catalog_entry(
    table: Table,
    method: str = INCREMENTAL,
    definition: TableDefinition | None = None,
    candidates: Sequence[str] = (),
    *,
    is_selected: bool = True,
) -> CatalogEntry:
    """Make the entry of a table in a Singer catalog.

    Args:
        table: The table.
        method: The replication method to use if the table supports it. LOG_BASED needs change
            tracking and a key of one column. INCREMENTAL needs a replication key.
        definition: The table definition of the service, if it has one.
        candidates: Columns that can be the replication key. The first one that the table has is
            used. Columns of other types than times and numbers don't count.
        is_selected: Whether the table is selected, unless it is private.

    Returns:
        The entry. Its table name is the entity set, so that a sync needs no other description of
        the service. Key and replication key are always sent. Private tables are not selected.
    """
    replication_keys = possible_replication_keys(table, candidates)
    replication_key = replication_keys[0] if replication_keys else None
    schema = json_schema(table, definition)
    metadata = MetadataMapping.get_standard_metadata(
        schema=schema,
        key_properties=table.key,
        valid_replication_keys=replication_keys,
        selected_by_default=is_selected and not table.private,
    )
    metadata.root.selected = is_selected and not table.private
    # In the metadata it would count as the user's choice (see read_catalog).
    metadata.root.replication_key = None
    for name in replication_keys[1:]:
        # A replication key that is not in use is an ordinary column.
        if name not in table.key:
            metadata["properties", name].inclusion = Metadata.InclusionType.AVAILABLE
    entry = CatalogEntry(
        tap_stream_id=table.name,
        stream=table.name,
        table=table.entity_set,
        key_properties=table.key,
        schema=Schema.from_dict(schema),
        metadata=metadata,
        replication_key=replication_key,
        replication_method=best_method(table, method, replication_key),
        # Rows of a virtual table come from another source, like those of a view.
        is_view=True if definition is not None and definition.is_virtual else None,
    )
    return _with_deletes(entry)


def _with_deletes(entry: CatalogEntry) -> CatalogEntry:
    """Add the column `_sdc_deleted_at` to the entry of a table that is replicated LOG_BASED."""
    if entry.replication_method == LOG_BASED and entry.schema.properties is not None:
        entry.schema.properties[DELETED_AT] = Schema(
            type=["string", "null"],
            format="date-time",
            description="When the row was found to be deleted; null for a row that is there.",
        )
        entry.metadata["properties", DELETED_AT].inclusion = Metadata.InclusionType.AUTOMATIC
    return entry


def read_catalog(document: Mapping[str, Any]) -> Catalog:
    """Read a Singer catalog.

    Args:
        document: The catalog, decoded from JSON.

    Returns:
        The catalog. The user's choices in a stream's metadata (`replication-method`,
        `replication-key` and `table-key-properties`) win over the values of discovery. The SDK
        itself ignores them.
        https://github.com/singer-io/getting-started/blob/master/docs/DISCOVERY_MODE.md
    """
    catalog = Catalog.from_dict(dict(document))
    for stream in document.get("streams", ()):
        entry = catalog[stream["tap_stream_id"]]
        # The SDK maps streams by this name. The tap has one name for each stream.
        entry.stream = entry.tap_stream_id
        for item in stream.get("metadata", ()):
            if not item["breadcrumb"]:
                chosen = item["metadata"]
                entry.replication_key = chosen.get("replication-key") or entry.replication_key
                method = chosen.get("replication-method")
                entry.replication_method = method or entry.replication_method
                stream_key.read(entry, chosen)
        name_columns.read(entry, stream.get("metadata", ()))
        _with_deletes(entry)
        # Targets need the key, and bookmarks are taken from the rows, so both are always included.
        # Invalid names are reported later, and only if the stream is selected.
        key = entry.key_properties if stream_key.is_list_of_names(entry.key_properties) else ()
        for name in (*(key or ()), entry.replication_key):
            if isinstance(name, str) and name in (entry.schema.properties or ()):
                entry.metadata["properties", name].inclusion = Metadata.InclusionType.AUTOMATIC
    return catalog
