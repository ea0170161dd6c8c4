"""Columns that hold labels and names: of choices, of yes and no, of the rows lookups lead to.

Dataverse sends them beside the values, as annotations, and only those kinds that are asked for:
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/select-columns#formatted-values
They are called as Dataverse's own SQL calls them: `statuscodename`, `primarycontactidname`.
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

    from singer_sdk.singerlib import Catalog, CatalogEntry

    from tap_dynamics365.services.table_definition import ColumnDefinition, TableDefinition

FORMATTED_VALUE = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"

logger = logging.getLogger("tap-dynamics365.name_columns")

# Columns whose values have a label (`AttributeTypeName`).
CHOICES = {"PicklistType", "MultiSelectPicklistType", "StateType", "StatusType", "BooleanType"}

# A column's name and that of an annotation, as rows join them.
ANNOTATED = re.compile(r"[^@]+@[\w.]+", re.ASCII)


@dataclass(slots=True)
class NameMetadata(Metadata):
    """What the catalog says of a column that is an annotation of another.

    Attributes:
        annotation: What rows call it: `statuscode@OData.Community.Display.V1.FormattedValue`. A
            sync has it from here, and asks no other description of the service.
    """

    annotation: str | None = None


class _NameColumn(NamedTuple):
    name: str
    annotation: str
    description: str


def add(catalog: Catalog, definitions: Mapping[str, TableDefinition]) -> None:
    """Add to tables' columns those that hold their labels and names, each behind its own.

    Args:
        catalog: The tables' entries.
        definitions: What the service says of the tables, by name; nothing if it won't.
    """
    if not definitions:
        logger.warning(
            "show_name_columns does not apply: the service does not tell which of its columns have "
            "labels, as Dataverse does to users who may read its table definitions."
        )
        return
    taken = [
        f"{name}.{column}"
        for name, entry in catalog.items()
        if name in definitions
        for column in _add(entry, definitions[name])
    ]
    if taken:
        logger.info(
            "Columns of the tables' own that are called as one with labels would be, which is left "
            "out: %s.",
            ", ".join(taken),
        )


def _add(entry: CatalogEntry, definition: TableDefinition) -> list[str]:
    """Add the columns of a table; return names that it has already, which are left as they are."""
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
    """Yield the columns that go with one."""
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
    """Read which columns are annotations: the SDK passes over what it does not know.

    Args:
        entry: The table's entry in the catalog.
        metadata: Its metadata as JSON has it.
    """
    for item in metadata:
        chosen = item["metadata"]
        if ANNOTATED.fullmatch(str(chosen.get("annotation"))):
            entry.metadata[tuple(item["breadcrumb"])] = NameMetadata.from_dict(chosen)


def annotated(entry: CatalogEntry) -> dict[str, str]:
    """Tell which columns are annotations.

    Args:
        entry: The table's entry in the catalog.

    Returns:
        What rows call them, by the names that they have in messages.
    """
    return {
        breadcrumb[-1]: metadata.annotation
        for breadcrumb, metadata in entry.metadata.items()
        if isinstance(metadata, NameMetadata) and metadata.annotation
    }


def kinds(names: Iterable[str]) -> tuple[str, ...]:
    """Tell which kinds of annotations to ask for.

    Args:
        names: What rows call the values wanted.

    Returns:
        Each kind once.
    """
    found = (name.partition("@")[2] for name in names)
    return tuple(dict.fromkeys(kind for kind in found if kind))


def columns(names: Iterable[str]) -> list[str]:
    """Tell which columns to ask for: an annotation comes only with its own.

    Args:
        names: What rows call the values wanted.

    Returns:
        Each column once.
    """
    return list(dict.fromkeys(name.partition("@")[0] for name in names))
