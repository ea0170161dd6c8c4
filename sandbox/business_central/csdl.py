"""CSDL documents of Business Central: from a document to tables and their shapes.

A table has the name of its entity set, because that is the name that people know; its schema name
is the name of the entity type.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
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

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from xml.etree import ElementTree as ET

API, WEB_SERVICES = "Microsoft.NAV", "NAV"
STANDARD, ODATA = "api/v2.0", "ODataV4"
# Stored columns that no row shows: the company, and the number of writes to the row.
COMPANY, WRITES = "$company", "$writes"
HIDDEN = (
    Column(COMPANY, Kind.HIDDEN, COMPANY, "Edm.String"),
    Column(WRITES, Kind.HIDDEN, WRITES, "Edm.Int64"),
)
# Stored column with the id of a parent that the rows themselves don't name.
PARENT = "$parent"
_PARENT = Column(PARENT, Kind.HIDDEN, PARENT, "Edm.Guid")
_COMPANIES = frozenset({"company", "Company"})
# Names under which sets have the time of the last change, or a row version.
MODIFIED = frozenset({"lastModifiedDateTime", "systemModifiedAt"})
CREATED, ROW_VERSION = "systemCreatedAt", "systemRowVersion"
#: Columns that are computed when they are read, so that they change without a write to the row.
CALCULATED = frozenset(
    {
        *("inventory", "balance", "balanceDue", "overdueAmount", "totalSalesExcludingTax"),
        *("netChange", "remainingAmount", "status"),
    }
)
_KINDS = {
    "Edm.Boolean": Kind.BOOLEAN,
    "Edm.Date": Kind.DATETIME,
    "Edm.DateTimeOffset": Kind.DATETIME,
    "Edm.Decimal": Kind.DECIMAL,
    "Edm.Double": Kind.DOUBLE,
    "Edm.Duration": Kind.STRING,
    "Edm.Guid": Kind.UNIQUE_IDENTIFIER,
    "Edm.Int32": Kind.INTEGER,
    "Edm.Int64": Kind.BIGINT,
    "Edm.Stream": Kind.STREAM,
    "Edm.String": Kind.STRING,
    "Edm.TimeOfDay": Kind.TIME,
}


@dataclass(frozen=True)
class Navigation:
    """A navigation property.

    Attributes:
        name: Name of the property.
        target: Name of the entity type that it leads to, without namespace.
        is_collection: Whether it leads to several rows.
        pairs: Own property and property of the target that are equal. Without a referential
            constraint, the property of the target is the column `PARENT`, which no row shows.
    """

    name: str
    target: str
    is_collection: bool
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Shape:
    """What an API shows of a table, besides the columns.

    Attributes:
        table: The table.
        key: Properties of the key.
        navigations: Navigation properties by name.
        is_sortable: Whether `$orderby` is supported.
        has_company: Whether the rows are in companies.
    """

    table: Table
    key: tuple[str, ...]
    navigations: dict[str, Navigation]
    is_sortable: bool
    has_company: bool

    @property
    def is_query(self) -> bool:
        """Whether the set is an API query, whose key counts rows."""
        return any(name.lower().startswith("auxiliaryindex") for name in self.key)

    @property
    def shown(self) -> list[Column]:
        """Columns that rows show; parameters of calculated columns are no data."""
        return [
            column
            for column in self.table.columns
            if column.kind is not Kind.HIDDEN and not is_parameter(column)
        ]


@dataclass(eq=False)
class Api:
    """One API route, or the OData web services.

    Attributes:
        path: Path below the environment, such as `api/v2.0`.
        namespace: Namespace of the CSDL document.
        document: The CSDL document.
        sets: Entity sets by name.
    """

    path: str
    namespace: str
    document: bytes
    sets: dict[str, Shape] = field(default_factory=dict)

    @property
    def companies(self) -> str:
        """Name of the set of companies."""
        return "companies" if self.namespace == API else "Company"

    def of_type(self, name: str) -> Shape | None:
        """Return the entity set of an entity type."""
        return next((s for s in self.sets.values() if s.table.schema_name == name), None)


class CentralModel(Model):
    """Data model of all APIs of an environment.

    Args:
        apis: The APIs. A set that several of them have is one table.
    """

    def __init__(self, apis: Iterable[Api]) -> None:
        self.apis = tuple(apis)
        shapes = [item for api in reversed(self.apis) for item in api.sets.items()]
        tables = {name: shape.table for name, shape in shapes}
        super().__init__(API, "", tuple(tables.values()), None, "NAV", collation="BINARY")

    def shape(self, table: Table) -> Shape:
        """Return the shape of a table in the first API that has it."""
        return next(api.sets[table.name] for api in self.apis if table.name in api.sets)

    def drop(self, table: Table, column: str = "") -> None:
        """Remove a set, or a column of it, from every API.

        Args:
            table: The table.
            column: Name of the column. Empty removes the set.
        """
        kept = tuple(each for each in table.columns if each.property_name != column)
        changed = replace(table, columns=kept)
        for api in self.apis:
            if table.name not in api.sets:
                continue
            if column:
                api.sets[table.name] = replace(api.sets[table.name], table=changed)
            else:
                del api.sets[table.name]
        self.replace(table.name, *((changed,) if column else ()))

    def api_of(self, table: Table) -> Api:
        """Return the first API that has a table."""
        return next(api for api in self.apis if table.name in api.sets)


def is_parameter(column: Column) -> bool:
    """Return whether a column is a parameter of calculated columns rather than data."""
    return column.property_name.endswith(("_FilterOnly", "_Filter"))


def read(path: Path) -> Api:
    """Read the API of a CSDL document.

    Args:
        path: An XML file, optionally compressed with gzip.
    """
    document = content(path)
    is_api = f'Namespace="{API}"'.encode() in document
    return parse(document, STANDARD if is_api else ODATA)


def parse(document: bytes, path: str) -> Api:
    """Return the API of a CSDL document.

    Args:
        document: The document.
        path: Path below the environment.
    """
    reader = _Reader()
    for element in elements(document):
        name = element.get("Name", "")
        if element.tag == ENUM_TYPE:
            reader.enums[name] = enumeration(element)
        elif element.tag == ENTITY_TYPE:
            reader.types[name] = _Type(element)
        elif element.tag == ENTITY_SET:
            reader.sets.append(_set(element))
    namespace = WEB_SERVICES if path == ODATA else API
    return Api(path, namespace, document, {each[0]: reader.shape(*each) for each in reader.sets})


def _set(element: ET.Element) -> tuple[str, str, bool]:
    """Return the name of an entity set, the name of its type, and whether it can be sorted."""
    unsorted = element.find(f".//{EDM}PropertyValue[@Property='Sortable'][@Bool='false']")
    type_name = element.get("EntityType", "").rpartition(".")[2]
    return element.get("Name", ""), type_name, unsorted is None


class _Type:
    """An entity type: its key, its properties and its navigation properties."""

    def __init__(self, element: ET.Element) -> None:
        self.key = key_of(element)
        self.properties = [
            (each.get("Name", ""), each.get("Type", ""), each.get("MaxLength", ""))
            for each in element.iterfind(f"{EDM}Property")
        ]
        self.navigations = {
            each.get("Name", ""): _navigation(each)
            for each in element.iterfind(f"{EDM}NavigationProperty")
        }


def _navigation(element: ET.Element) -> Navigation:
    kind = element.get("Type", "")
    pairs = tuple(
        (each.get("Property", ""), each.get("ReferencedProperty", ""))
        for each in element.iterfind(f"{EDM}ReferentialConstraint")
    )
    is_collection = kind.startswith("Collection(")
    return Navigation(
        element.get("Name", ""), kind.rpartition(".")[2].rstrip(")"), is_collection, pairs
    )


class _Reader:
    def __init__(self) -> None:
        self.types: dict[str, _Type] = {}
        self.enums: dict[str, OptionSet] = {}
        self.sets: list[tuple[str, str, bool]] = []

    def shape(self, set_name: str, type_name: str, is_sortable: bool) -> Shape:  # noqa: FBT001  - of `_set`
        found = self.types[type_name]
        columns = tuple(self._column(*each) for each in found.properties)
        parent = (_PARENT,) if type_name in self.parts else ()
        table = Table(
            name=set_name,
            set_name=set_name,
            columns=(*columns, *HIDDEN, *parent),
            key=(COMPANY, *found.key),
            primary_id=found.key[0],
            schema_name=type_name,
        )
        companies = self.types.get("company")
        if companies:
            held = {each.target for each in companies.navigations.values()}
            has_company = type_name in held
        else:
            has_company = type_name != "Company"
        navigations = {
            each.name: replace(each, pairs=((found.key[0], PARENT),))
            if each in self._undeclared(type_name)
            else each
            for each in found.navigations.values()
        }
        return Shape(table, found.key, navigations, is_sortable, has_company)

    @cached_property
    def parts(self) -> set[str]:
        """Entity types whose rows belong to a parent that they don't name."""
        return {each.target for name in self.types for each in self._undeclared(name)}

    def _undeclared(self, type_name: str) -> list[Navigation]:
        """Return navigation properties to rows of a row that have no referential constraint."""
        found = self.types[type_name]
        by_id = len(found.key) == 1 and (found.key[0], "Edm.Guid") in {
            (name, edm_type) for name, edm_type, _ in found.properties
        }
        if type_name in _COMPANIES or not by_id:
            return []
        return [each for each in found.navigations.values() if not each.pairs]

    def _column(self, name: str, edm_type: str, length: str) -> Column:
        values = "modified" if name in MODIFIED else "created" if name == CREATED else ""
        values = "version" if name == ROW_VERSION else values
        if edm_type in _KINDS:
            longest = int(length) if length.isdecimal() else None
            kind = _KINDS[edm_type]
            return Column(name, kind, name, edm_type, values=values, max_length=longest)
        is_collection = edm_type.startswith("Collection(")
        short = edm_type.rpartition(".")[2]
        if short in self.enums:
            return Column(name, Kind.STRING, name, edm_type, options=self.enums[short])
        return Column(name, Kind.STRUCTURE, name, edm_type, is_collection=is_collection)
