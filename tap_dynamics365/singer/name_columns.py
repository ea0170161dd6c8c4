"""Name columns: labels of choices and yes/no columns, and names of the rows that lookups refer to.

Dataverse sends them as annotations of the values, if a request asks for them:
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/select-columns#formatted-values
The columns have the names that Dataverse's SQL gives them: `statuscodename`,
`primarycontactidname`.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from singer_sdk.singerlib import Metadata, Schema

from tap_dynamics365.services.table_definition import LOOKUPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from singer_sdk.singerlib import CatalogEntry

    from tap_dynamics365.services.table_definition import ColumnDefinition, TableDefinition

FORMATTED_VALUE = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"

logger = logging.getLogger("tap-dynamics365.name_columns")

# Columns whose values have a label (`AttributeTypeName`).
CHOICES = {"PicklistType", "MultiSelectPicklistType", "StateType", "StatusType", "BooleanType"}

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


class _NameColumn(NamedTuple):
    name: str
    annotation: str
    description: str


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
    taken: list[str] = []
    defined = definition.by_property
    columns = entry.schema.properties or {}
    properties: dict[str, Schema] = {}
    for name, column in columns.items():
        properties[name] = column
        for added in _of(defined[name]) if name in defined else ():
            if added.name in columns or added.name in properties:
                taken.append(added.name)
                continue
            properties[added.name] = Schema(type=["string", "null"], description=added.description)
            entry.metadata["properties", added.name] = NameMetadata(
                inclusion=Metadata.InclusionType.AVAILABLE, annotation=added.annotation
            )
    entry.schema.properties = properties
    return taken


def _of(column: ColumnDefinition) -> Iterator[_NameColumn]:
    """Yield the name columns of a column."""
    stored = column.property_name
    if column.kind in CHOICES:
        yield _NameColumn(
            f"{column.name}name",
            f"{stored}@{FORMATTED_VALUE}",
            f"Label of {stored} in the language of the user who reads it.",
        )
    elif column.kind in LOOKUPS:
        yield _NameColumn(
            f"{column.name}name",
            f"{stored}@{FORMATTED_VALUE}",
            f"Name of the row whose id is {stored}.",
        )
        tables = f": {', '.join(column.targets)}" if column.targets else ""
        yield _NameColumn(
            f"{column.name}type",
            f"{stored}@{LOOKUP_TABLE}",
            f"Table of the row whose id is {stored}{tables}.",
        )


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


def kinds(names: Iterable[str]) -> tuple[str, ...]:
    """Return the kinds of annotations to request.

    Args:
        names: The names of the selected values in rows.

    Returns:
        Each kind once.
    """
    found = (name.partition("@")[2] for name in names)
    return tuple(dict.fromkeys(kind for kind in found if kind))


def columns(names: Iterable[str]) -> list[str]:
    """Return the columns to request. Annotations come only with their columns.

    Args:
        names: The names of the selected values in rows.

    Returns:
        Each column once.
    """
    return list(dict.fromkeys(name.partition("@")[0] for name in names))
