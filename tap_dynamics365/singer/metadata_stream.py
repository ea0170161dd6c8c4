"""Metadata streams: streams that describe the service."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.singerlib import Catalog, CatalogEntry, MetadataMapping, Schema
from typing_extensions import override

from tap_dynamics365.extract.read import FULL_TABLE
from tap_dynamics365.extract.state import TableState
from tap_dynamics365.extract.tally import Tally
from tap_dynamics365.extract.version import TableVersion
from tap_dynamics365.services.registry import EXTRA_STREAMS
from tap_dynamics365.singer.record_stream import RecordStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.tap_base import Tap

    from tap_dynamics365.services.kind import ExtraStream, ServiceKind

logger = logging.getLogger("tap-dynamics365.metadata_streams")


class MetadataStream(RecordStream):
    """The service's description of its tables, as rows. Every run sends all rows.

    Args:
        tap: The tap that the stream belongs to.
        entry: The catalog entry of the stream.
        describe: Returns the description, which all metadata streams share.
    """

    # Rows are made with the types of the schema.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(self, tap: Tap, entry: CatalogEntry, describe: Callable[[], Any]) -> None:
        self.entry = entry
        self._source = EXTRA_STREAMS[entry.tap_stream_id]
        self._describe = describe
        #: The progress of the stream.
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
        # The catalog may be older than the tap, or have columns that the user added.
        names = self.schema["properties"]
        description = self._describe()
        version = TableVersion(
            TableState(cast("dict[str, Any]", self.tap_state), self.name),
            is_used=self.emit_activate_version_messages,
            started_at=self._initialized_at // 1000,
        )
        version.begin()
        self._stream_version = version.number
        self.tally.begin(reads_all=False)
        for row in self._source.rows(description):
            yield {name: row.get(name) for name in names}
            self.tally.rows += 1
        # The SDK's own connection test reads a part without writing it.
        if version.number is not None and self.ABORT_AT_RECORD_COUNT is None:
            self.activate(version.number)

    def sample(self) -> Record | None:
        """Return the first row, if there is one."""
        return next(iter(self.get_records(None)), None)

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """Return nothing: the SDK's BATCH messages ignore selection and stream maps."""


def is_supported(kind: ServiceKind) -> bool:
    """Tell whether a service has metadata streams, and log a warning if not.

    Args:
        kind: The kind of the service.
    """
    if not kind.extra_streams:
        logger.warning(
            "metadata_streams does not apply: only Dataverse has metadata streams, and service_url "
            "leads to %s.",
            kind.name,
        )
    return bool(kind.extra_streams)


def entries(kind: ServiceKind) -> Catalog:
    """Return the catalog entries of the metadata streams of a service.

    Args:
        kind: The kind of the service.
    """
    return Catalog((name, _entry(name, table)) for name, table in kind.extra_streams.items())


def _entry(name: str, table: ExtraStream) -> CatalogEntry:
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


def is_metadata_stream(entry: CatalogEntry) -> bool:
    """Tell whether a catalog entry is a metadata stream.

    Args:
        entry: The entry. An entry with a `table_name` is a table, whatever its name is.
    """
    return entry.tap_stream_id in EXTRA_STREAMS and not entry.table
