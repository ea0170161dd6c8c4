"""Singer catalog: the JSON Schema and the catalog entry of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import Catalog, CatalogEntry, Metadata, MetadataMapping, Schema

from tap_dynamics365.extract.read import FULL_TABLE, INCREMENTAL, LOG_BASED
from tap_dynamics365.odata.edm import Primitive, Table
from tap_dynamics365.odata.json_schema import properties
from tap_dynamics365.singer import name_columns, stream_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_dynamics365.services.table_definition import ColumnDefinition, TableDefinition

# The column with the time at which a row was found to be deleted; the name is Singer's.
DELETED_AT = "_sdc_deleted_at"

# Types of columns that can be a replication key by default: points in time, and numbers of rows.
GROWING = {Primitive("Edm.DateTimeOffset"), Primitive("Edm.Int64")}


def json_schema(table: Table, definition: TableDefinition | None = None) -> dict[str, Any]:
    """Describe the rows of a table.

    Args:
        table: The table.
        definition: The table definition of the service, if it has one.

    Returns:
        A JSON Schema with a property for each column that rows have. Every property but the key is
        nullable. Enumerations are nullable in the key too, because a value without a name is
        null. Titles are display names. The maximum length of a text is only in its description,
        because services also send longer texts.
    """
    schema: dict[str, Any] = {"type": "object", "properties": properties(table)}
    schema |= _words(table.description, definition)
    if definition is not None:
        columns = definition.by_property
        for column in table.columns:
            found = columns.get(column.name)
            if found is not None and column.name in schema["properties"]:
                schema["properties"][column.name] |= _words(column.description, found, *found.facts)
    return schema


def _words(
    description: str | None, definition: TableDefinition | ColumnDefinition | None, *facts: str
) -> dict[str, str]:
    """Return title and description of a table or a column."""
    words = {}
    if definition is not None:
        description = description or definition.description.text
        if title := definition.display_name.text:
            words["title"] = title
    if facts and description and description[-1] not in ".!?":
        description += "."
    if text := " ".join([description, *facts] if description else facts):
        words["description"] = text
    return words


def possible_replication_keys(table: Table, candidates: Sequence[str]) -> list[str]:
    """Return the columns of a table that can be its replication key, the best one first.

    Args:
        table: The table.
        candidates: Columns that grow with each change, where a table has them.
    """
    growing = {column.name for column in table.columns if column.type in GROWING}
    return [name for name in candidates if name in growing]


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
    log_based = method == LOG_BASED and table.tracked and len(table.key) == 1
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
    next_best = INCREMENTAL if replication_key else FULL_TABLE
    entry = CatalogEntry(
        tap_stream_id=table.name,
        stream=table.name,
        table=table.entity_set,
        key_properties=table.key,
        schema=Schema.from_dict(schema),
        metadata=metadata,
        replication_key=replication_key,
        replication_method=LOG_BASED if log_based else next_best,
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
