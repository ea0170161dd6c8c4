"""Name columns in the catalog: entries and metadata of columns that are annotations of others."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import Metadata, Schema

from tap_dynamics365.services import name_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_sdk.singerlib import CatalogEntry

    from tap_dynamics365.services.table_definition import TableDefinition

logger = logging.getLogger("tap-dynamics365.name_columns")

# The name of an annotation in rows: column, @, kind of annotation.
ANNOTATED = re.compile(r"[^@]+@[\w.]+", re.ASCII)


@dataclass(slots=True)
class NameMetadata(Metadata):
    """Catalog metadata of a column that is an annotation of another column.

    Attributes:
        annotation: The name in rows: `statuscode@OData.Community.Display.V1.FormattedValue`.
            Because it is in the catalog, a sync needs no other description of the service.
    """

    annotation: str | None = None


class Additions:
    """Adds name columns to the entries of a catalog, each one after its own column."""

    def __init__(self) -> None:
        self._are_labels_known = False
        self._taken: list[str] = []

    def add(self, entry: CatalogEntry, definition: TableDefinition) -> None:
        """Add the name columns of a table.

        Args:
            entry: The catalog entry of the table. It is changed in place.
            definition: The definition of the table.
        """
        self._are_labels_known = True
        self._taken += [f"{entry.tap_stream_id}.{name}" for name in _add(entry, definition)]

    def log(self) -> None:
        """Log what could not be added, after the last entry."""
        if not self._are_labels_known:
            logger.warning(
                "show_name_columns does not apply: the service does not say which columns have "
                "labels. Dataverse does, to users who may read its table definitions."
            )
        elif self._taken:
            logger.info(
                "These columns already have the name of a column with labels, which is left out: "
                "%s.",
                ", ".join(self._taken),
            )


def _add(entry: CatalogEntry, definition: TableDefinition) -> list[str]:
    """Add the name columns of a table; return names that other columns have already."""
    columns = entry.schema.properties or {}
    additions, taken = name_columns.of_table(columns, definition)
    properties: dict[str, Schema] = {}
    for name, column in columns.items():
        properties[name] = column
        for added in additions.get(name, ()):
            properties[added.name] = Schema(type=["string", "null"], description=added.description)
            entry.metadata["properties", added.name] = NameMetadata(
                inclusion=Metadata.InclusionType.AVAILABLE, annotation=added.annotation
            )
    entry.schema.properties = properties
    return taken


def read(entry: CatalogEntry, metadata: Iterable[Mapping[str, Any]]) -> None:
    """Read which columns are annotations. The SDK ignores metadata that it does not know.

    Args:
        entry: The catalog entry of the table. It is changed in place.
        metadata: The metadata of the entry, decoded from JSON.
    """
    for item in metadata:
        chosen = item["metadata"]
        if ANNOTATED.fullmatch(str(chosen.get("annotation"))):
            entry.metadata[tuple(item["breadcrumb"])] = NameMetadata.from_dict(chosen)


def annotated(entry: CatalogEntry) -> dict[str, str]:
    """Return the columns that are annotations.

    Args:
        entry: The catalog entry of the table.

    Returns:
        The names in rows, by the names in messages.
    """
    return {
        breadcrumb[-1]: metadata.annotation
        for breadcrumb, metadata in entry.metadata.items()
        if isinstance(metadata, NameMetadata) and metadata.annotation
    }
