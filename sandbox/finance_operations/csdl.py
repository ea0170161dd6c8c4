"""CSDL documents of Finance & Operations: from the document to the data model.

A table has the name of its entity set, because that is the name that people know; its schema name
is the name of the entity type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.data.csdl import (
    EDM,
    ENTITY_SET,
    ENTITY_TYPE,
    ENUM_TYPE,
    content,
    elements,
    enumeration,
    key_of,
)
from sandbox.data.model import Column, Kind, Model, OptionSet, Table
from sandbox.finance_operations.collation import COLLATION

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree import ElementTree as ET

NAMESPACE = "Microsoft.Dynamics.DataEntities"
AX_TYPE = "Microsoft.Dynamics.OData.Core.V1.AXType"
COMPANY = "dataAreaId"
# Stored columns that no row shows: record ID and version in the root table, pairs of joined tables.
RECORD, VERSION, JOINED = "$recid", "$recversion", "$joined"
HIDDEN = tuple(
    Column(name, Kind.HIDDEN, name, edm_type)
    for name, edm_type in ((RECORD, "Edm.Int64"), (VERSION, "Edm.Int64"), (JOINED, "Edm.String"))
)
# Names under which entities have the time of the last change, or a row version.
MODIFIED = frozenset(
    {
        "SysModifiedDateTime",
        "System_ModifiedDateTime",
        "ModifiedDateTime",
        "ModifiedDateTime1",
        "LastModifiedDateTime",
        "LastUpdatedDateTime",
        "ModifiedOn",
        "LastModifiedOn",
    }
)
ROW_VERSION = "SysRowVersion"
DATE, UTC, TIME = "date", "utc", "time"
_RECIPES = {"Date": DATE, "UtcDateTime": UTC, "Time": TIME}
_KINDS = {
    "Edm.Binary": Kind.IMAGE,
    "Edm.Boolean": Kind.BOOLEAN,
    "Edm.DateTimeOffset": Kind.DATETIME,
    "Edm.Decimal": Kind.DECIMAL,
    "Edm.Guid": Kind.UNIQUE_IDENTIFIER,
    "Edm.Int32": Kind.INTEGER,
    "Edm.Int64": Kind.BIGINT,
    "Edm.String": Kind.STRING,
}


def read(path: Path) -> Model:
    """Read the data model of a CSDL document.

    Args:
        path: An XML file, optionally compressed with gzip.
    """
    return parse(content(path))


def parse(document: bytes) -> Model:
    """Return the data model of a CSDL document."""
    reader = _Reader()
    for element in elements(document):
        name = element.get("Name", "")
        if element.tag == ENUM_TYPE:
            # Numbers are not unique in every enumeration: rows show the first name of a number.
            reader.enums[name] = enumeration(element)
        elif element.tag == ENTITY_TYPE:
            reader.types[name] = _Type(element)
        elif element.tag == ENTITY_SET:
            reader.sets.append((name, element.get("EntityType", "")))
    tables = tuple(reader.table(*each) for each in reader.sets)
    return Model(NAMESPACE, "", tables, document, "Resources", collation=COLLATION)


class _Type:
    """An entity type: the key, and for each property its name, its type and its AX type."""

    def __init__(self, element: ET.Element) -> None:
        self.key = key_of(element)
        self.properties = [
            (each.get("Name", ""), each.get("Type", ""), _ax_type(each))
            for each in element.iterfind(f"{EDM}Property")
        ]


def _ax_type(element: ET.Element) -> str:
    path = f"{EDM}Annotation[@Term='{AX_TYPE}']/{EDM}EnumMember"
    return element.findtext(path, "").rpartition("/")[2]


class _Reader:
    def __init__(self) -> None:
        self.types: dict[str, _Type] = {}
        self.enums: dict[str, OptionSet] = {}
        self.sets: list[tuple[str, str]] = []

    def table(self, set_name: str, type_name: str) -> Table:
        name = type_name.rpartition(".")[2]
        found = self.types[name]
        columns = tuple(self._column(*each) for each in found.properties)
        return Table(
            name=set_name,
            set_name=set_name,
            columns=(*columns, *HIDDEN),
            key=found.key,
            primary_id=found.key[0] if found.key else RECORD,
            schema_name=name,
        )

    def _column(self, name: str, edm_type: str, ax_type: str) -> Column:
        values = _RECIPES.get(ax_type, UTC if edm_type == "Edm.DateTimeOffset" else "")
        if edm_type == "Edm.DateTimeOffset" and name in MODIFIED:
            values = "modified"
        elif edm_type == "Edm.Int64" and name == ROW_VERSION:
            values = "version"
        namespace, _, short = edm_type.rpartition(".")
        if namespace == NAMESPACE:
            return Column(name, Kind.PICKLIST, name, edm_type, options=self.enums[short])
        return Column(name, _KINDS[edm_type], name, edm_type, values=values)


def shown(table: Table) -> list[Column]:
    """Return the columns that rows of a table show."""
    return [column for column in table.columns if column.kind is not Kind.HIDDEN]
