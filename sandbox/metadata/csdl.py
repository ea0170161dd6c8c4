"""Reader of CSDL documents (OASIS, "OData CSDL XML Representation"): document to data model."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from sandbox.data.csdl import EDM, content
from sandbox.data.model import Column, Kind, Model, Table
from sandbox.metadata.invented import described

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METADATA_SETS = frozenset(
    {
        "EntityDefinitions",
        "GlobalOptionSetDefinitions",
        "ManagedPropertyDefinitions",
        "RelationshipDefinitions",
    }
)
# Namespace of Dataverse's documents, for whose tables labels and choices are invented.
DATAVERSE = "Microsoft.Dynamics.CRM"
# Kind of column and recipe of values, by Edm type.
TYPES = {
    "Edm.Binary": (Kind.IMAGE, "image"),
    "Edm.Boolean": (Kind.BOOLEAN, "boolean"),
    "Edm.Byte": (Kind.INTEGER, "integer:0:255"),
    "Edm.Date": (Kind.DATETIME, "day"),
    "Edm.DateTimeOffset": (Kind.DATETIME, "moment"),
    "Edm.Decimal": (Kind.DECIMAL, "money"),
    "Edm.Double": (Kind.DOUBLE, "double:-90:90"),
    "Edm.Duration": (Kind.TIME, "duration"),
    "Edm.Guid": (Kind.UNIQUE_IDENTIFIER, "guid"),
    "Edm.Int16": (Kind.INTEGER, "integer:-32768:32767"),
    "Edm.Int32": (Kind.INTEGER, "integer:0:100000"),
    "Edm.Int64": (Kind.BIGINT, "big"),
    "Edm.SByte": (Kind.INTEGER, "integer:-128:127"),
    "Edm.Single": (Kind.DOUBLE, "double:-90:90"),
    "Edm.Stream": (Kind.STREAM, ""),
    "Edm.String": (Kind.STRING, "words"),
    "Edm.TimeOfDay": (Kind.TIME, "time"),
}
STAMPS = {
    "versionnumber": "version",
    "modifiedon": "modified",
    "createdon": "created",
    "lastModifiedDateTime": "modified:.125",
    "systemModifiedAt": "modified:.5",
}


class _Document:
    def __init__(self, text: bytes) -> None:
        self.text = text
        root = ET.fromstring(text)  # noqa: S314  - a file that the user names
        self.types: dict[str, ET.Element] = {}
        self.namespace = ""
        self.alias = ""
        self.sets: list[ET.Element] = []
        self.container = "System"
        for schema in root.iter(f"{EDM}Schema"):
            namespace = schema.get("Namespace", "")
            for element in schema:
                if element.tag in {f"{EDM}EntityType", f"{EDM}ComplexType", f"{EDM}EnumType"}:
                    for prefix in (namespace, schema.get("Alias")):
                        self.types[f"{prefix}.{element.get('Name')}"] = element
                if element.tag == f"{EDM}EntityContainer":
                    self.container = element.get("Name", self.container)
                    self.sets += element.findall(f"{EDM}EntitySet")
            if schema.find(f"{EDM}EntityType") is not None:
                self.namespace, self.alias = namespace, schema.get("Alias", namespace)

    def model(self) -> Model:
        tables = [self._table(each) for each in self.sets if each.get("Name") not in METADATA_SETS]
        if self.namespace == DATAVERSE:
            tables = [described(table) for table in tables]
        return Model(self.namespace, self.alias, tuple(tables), self.text, self.container)

    def _line(self, element: ET.Element) -> list[ET.Element]:
        """Return a type and its base types, the base first."""
        line = [element]
        while (base := line[0].get("BaseType")) in self.types:
            line.insert(0, self.types[str(base)])
        return line

    def _table(self, entity_set: ET.Element) -> Table:
        element = self.types[entity_set.get("EntityType", "")]
        line = self._line(element)
        name = element.get("Name", "")
        keys = [tuple(ref.get("Name", "") for ref in t.iter(f"{EDM}PropertyRef")) for t in line]
        key = next(found for found in reversed(keys) if found)
        names = {prop.get("Name", "") for t in line for prop in t.findall(f"{EDM}Property")}
        # Users and teams have an id of their own in addition to the inherited key.
        own = f"{name}id"
        primary_id = own if own in names and len(key) == 1 else key[0]
        lookups = self._lookups(line)
        columns = {}
        for each in line:
            for prop in each.findall(f"{EDM}Property"):
                column = self._column(prop, key, primary_id, lookups)
                columns[column.property_name] = column
        return Table(
            name=name,
            set_name=entity_set.get("Name", ""),
            columns=tuple(columns.values()),
            key=key,
            primary_id=primary_id,
            primary_name=next((n for n in ("name", "fullname", "subject") if n in names), ""),
            schema_name=name,
            base=(element.get("BaseType") or "").rpartition(".")[2],
            abstract=element.get("Abstract") == "true",
            change_tracking=_tracked(entity_set),
        )

    def _lookups(self, line: list[ET.Element]) -> dict[str, list[tuple[str, str]]]:
        """Return navigation properties and targets, by the property that refers to other rows."""
        found: dict[str, list[tuple[str, str]]] = {}
        for each in line:
            for navigation in each.findall(f"{EDM}NavigationProperty"):
                constraint = navigation.find(f"{EDM}ReferentialConstraint")
                if constraint is not None:
                    target = navigation.get("Type", "").rpartition(".")[2]
                    pair = (navigation.get("Name", ""), target)
                    found.setdefault(constraint.get("Property", ""), []).append(pair)
        return found

    def _column(
        self,
        prop: ET.Element,
        key: tuple[str, ...],
        primary_id: str,
        lookups: dict[str, list[tuple[str, str]]],
    ) -> Column:
        name = prop.get("Name", "")
        declared = prop.get("Type", "")
        kind, values, members, fields = self._type(declared)
        nulls = 0.2
        targets: list[tuple[str, str]] = []
        if name in STAMPS:
            values, nulls = STAMPS[name], 0.0
        elif name in key or name == primary_id:
            place = len(key) - 1 - key.index(name) if name in key else 0
            values, nulls = f"key:{place}", 0.0
        elif kind is Kind.UNIQUE_IDENTIFIER and name.startswith("_") and name.endswith("_value"):
            targets = lookups.get(name, [])
            kind, values = Kind.LOOKUP, "lookup"
        description = prop.find(f"{EDM}Annotation[@Term='Org.OData.Core.V1.Description']")
        return Column(
            name=name[1 : -len("_value")] if kind is Kind.LOOKUP else name,
            kind=kind,
            property_name=name,
            edm_type=declared,
            description="" if description is None else description.get("String", ""),
            values=values,
            nulls=nulls,
            targets=tuple(target for _, target in targets),
            navigation=tuple(navigation for navigation, _ in targets),
            scale=4 if kind is Kind.DECIMAL else None,
            behavior="DateOnly" if declared == "Edm.Date" else "UserLocal",
            computed=name in STAMPS,
            members=members,
            fields=fields,
            is_collection=declared.startswith("Collection("),
        )

    def _type(self, declared: str) -> tuple[Kind, str, tuple[str, ...], tuple[Column, ...]]:
        inner = declared.removeprefix("Collection(").rstrip(")")
        element = self.types.get(inner)
        if element is None:
            kind, values = TYPES.get(inner, (Kind.STRING, "words"))
            if inner != declared:
                return Kind.STRUCTURE, "structure", (), ()
            return kind, values, (), ()
        if element.tag == f"{EDM}EnumType":
            members = tuple(m.get("Name", "") for m in element.findall(f"{EDM}Member"))
            if inner != declared:
                return Kind.STRUCTURE, "structure", members, ()
            return Kind.STRING, "member", members, ()
        fields = tuple(
            self._column(prop, (), "", {})
            for each in self._line(element)
            for prop in each.findall(f"{EDM}Property")
        )
        return Kind.STRUCTURE, "structure", (), fields


def _tracked(entity_set: ET.Element) -> bool:
    term = "Org.OData.Capabilities.V1.ChangeTracking"
    annotation = entity_set.find(f"{EDM}Annotation[@Term='{term}']")
    if annotation is None:
        return False
    values: Iterator[ET.Element] = annotation.iter(f"{EDM}PropertyValue")
    return any(v.get("Property") == "Supported" and v.get("Bool") == "true" for v in values)


def read(path: Path) -> Model:
    """Read the data model of a CSDL document.

    Args:
        path: An XML file, optionally compressed with gzip.
    """
    return _Document(content(path)).model()
