"""Streams that describe the service."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.singerlib import Catalog, CatalogEntry, MetadataMapping, Schema
from typing_extensions import override

from tap_dynamics365.errors import REFUSED, ServiceError
from tap_dynamics365.progress.tally import Tally
from tap_dynamics365.services.dataverse import schema_map
from tap_dynamics365.services.dataverse.metadata_tables import METADATA_TABLES, Description
from tap_dynamics365.singer.catalog import FULL_TABLE
from tap_dynamics365.singer.record_stream import RecordStream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.tap_base import Tap

    from tap_dynamics365.odata.client import Service
    from tap_dynamics365.settings import Settings

logger = logging.getLogger("tap-dynamics365.metadata_streams")

PRIMARY_IDS = "EntityDefinitions?$select=LogicalName,PrimaryIdAttribute"


class MetadataStream(RecordStream):
    """What the service says of its tables, as the rows of a table: all of them at every run.

    Args:
        tap: The tap that the stream belongs to.
        entry: What the catalog says of it.
        describe: Gives what the service says, which streams share.
    """

    # Rows are made in the types of the schema.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(self, tap: Tap, entry: CatalogEntry, describe: Callable[[], Description]) -> None:
        self.entry = entry
        self._describe = describe
        #: How far it is.
        self.tally = Tally(entry.tap_stream_id)
        super().__init__(tap, schema=entry.schema, name=entry.tap_stream_id)
        self.primary_keys = entry.key_properties or ()
        self.forced_replication_method = FULL_TABLE

    @property
    @override
    def metadata(self) -> MetadataMapping:
        return self.entry.metadata

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        # The catalog may be older than the tap, or have what a person added.
        names = self.schema["properties"]
        description = self._describe()
        self.begin_version()
        self.tally.begin(reads_all=False)
        for row in METADATA_TABLES[self.name].rows(description):
            yield {name: row.get(name) for name in names}
            self.tally.rows += 1
        self.conclude()

    def sample(self) -> Record | None:
        """Give the first row, if there is one."""
        return next(iter(self.get_records(None)), None)

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """Return nothing: the SDK's BATCH messages ignore selection and stream maps."""


def are_there(service: Service) -> bool:
    """Tell whether a service describes itself, and say so if it does not.

    Args:
        service: The service.
    """
    if not service.is_dataverse:
        logger.warning("metadata_streams does not apply: Dataverse alone describes itself so.")
    return service.is_dataverse


def entries() -> Catalog:
    """Describe the streams as a Singer catalog."""
    return Catalog((name, _entry(name)) for name in METADATA_TABLES)


def _entry(name: str) -> CatalogEntry:
    table = METADATA_TABLES[name]
    metadata = MetadataMapping.get_standard_metadata(
        schema=table.schema, key_properties=table.key, selected_by_default=True
    )
    metadata.root.selected = True
    return CatalogEntry(
        tap_stream_id=name,
        stream=name,
        key_properties=table.key,
        schema=Schema.from_dict(table.schema),
        metadata=metadata,
        replication_method=FULL_TABLE,
    )


def is_one(entry: CatalogEntry) -> bool:
    """Tell whether an entry of a catalog is one of these streams.

    Args:
        entry: The entry; one that has a `table_name` is a table's, whatever it is called.
    """
    return entry.tap_stream_id in METADATA_TABLES and not entry.table


def describe(service: Service, settings: Settings, names: Collection[str]) -> Description:
    """Gather what the streams tell.

    Args:
        service: A Dataverse.
        settings: Whether tables were narrowed, and are asked for by name; whether the description
            of all of them is kept.
        names: Logical names of the tables to describe.

    Returns:
        The tables, in the order of the names.

    Raises:
        MetadataError: What the service says makes no sense.
        ServiceError: The service does not describe itself.
        SettingsError: The description is to come from a file, and is not there.
    """
    narrowed = bool(settings.tables) and not schema_map.is_kept(settings)
    found = schema_map.current(service, settings, names if narrowed else None)
    tables = tuple(found.tables[name] for name in names if name in found.tables)
    primary_ids = {table.name: table.primary_id for table in found.tables.values()}
    targets = {target for table in tables for column in table.columns for target in column.targets}
    if narrowed and not targets <= primary_ids.keys():
        primary_ids |= _primary_ids(service)
    return Description(tables, primary_ids)


def _primary_ids(service: Service) -> dict[str, str]:
    """Fetch the primary id of every table, by its logical name; none if the service won't."""
    try:
        rows = json.loads(service.get(PRIMARY_IDS).content)["value"]
        return {row["LogicalName"]: row["PrimaryIdAttribute"] for row in rows}
    except (ServiceError, ValueError, LookupError, TypeError, RecursionError) as error:
        # Rows are not to differ from run to run for a failure that passes.
        if isinstance(error, ServiceError) and error.failure not in REFUSED:
            raise
        logger.warning("TargetMetadata.ReferencedAttribute is null for some tables: %s", error)
        return {}
