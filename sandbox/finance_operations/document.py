"""`$metadata` in the form of Finance & Operations, and the service document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.finance_operations.csdl import AX_TYPE, NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


TERMS = "Microsoft.Dynamics.OData.Core.V1"
AX_TYPES = (
    "Container",
    "Date",
    "Enum",
    "Guid",
    "Int32",
    "Int64",
    "Real",
    "Record",
    "String",
    "Time",
    "UtcDateTime",
    "Void",
)
# Types of the definitions in `organisation`, with their Edm and AX types.
TYPES = {
    "String": ("Edm.String", "String"),
    "Date": ("Edm.DateTimeOffset", "Date"),
    "UtcDateTime": ("Edm.DateTimeOffset", "UtcDateTime"),
    "Int32": ("Edm.Int32", "Int32"),
    "Time": ("Edm.Int32", "Time"),
    "Int64": ("Edm.Int64", "Int64"),
    "Decimal": ("Edm.Decimal", "Real"),
    "Guid": ("Edm.Guid", "Guid"),
    "Boolean": ("Edm.Boolean", "Enum"),
    "Binary": ("Edm.Binary", "Container"),
}
# Types that are never declared as not nullable, unless a text is in the key.
NULLABLE = frozenset({"Edm.String", "Edm.Binary"})


@dataclass(frozen=True)
class Property:
    """A property of an entity type.

    Attributes:
        name: Name of the property.
        type: One of `TYPES`, or the name of an enumeration.
        in_key: Whether the property is part of the key.
    """

    name: str
    type: str = "String"
    in_key: bool = False


@dataclass(frozen=True)
class Link:
    """A navigation property to one row.

    Attributes:
        name: Name of the navigation property.
        target: The entity type of the row.
        pairs: The properties with equal values, of this row and of the other one.
    """

    name: str
    target: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Entity:
    """An entity set with its type."""

    set_name: str
    type_name: str
    properties: tuple[Property, ...]
    links: tuple[Link, ...] = ()


def write(entities: Iterable[Entity], enums: Mapping[str, Mapping[str, int]]) -> bytes:
    """Return a CSDL document.

    Args:
        entities: The entity sets.
        enums: Numbers of the members, by enumeration and member.
    """
    entities = list(entities)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">',
        "  <edmx:DataServices>",
        f'    <Schema Namespace="{NAMESPACE}" xmlns="http://docs.oasis-open.org/odata/ns/edm">',
    ]
    for name, members in enums.items():
        lines += _enum(name, members)
    for entity in entities:
        lines += _entity_type(entity)
    lines += [
        '      <Action Name="GetApplicationVersion" IsBound="true">',
        f'        <Parameter Name="Company" Type="Collection({NAMESPACE}.Company)" />',
        '        <ReturnType Type="Edm.String" />',
        "      </Action>",
        '      <EntityContainer Name="Resources">',
    ]
    lines += [
        f'        <EntitySet Name="{each.set_name}" EntityType="{NAMESPACE}.{each.type_name}" />'
        for each in entities
    ]
    lines += [
        "      </EntityContainer>",
        "    </Schema>",
        f'    <Schema Namespace="{TERMS}" xmlns="http://docs.oasis-open.org/odata/ns/edm">',
        '      <EnumType Name="AXType">',
        *(
            f'        <Member Name="{name}" Value="{number}" />'
            for number, name in enumerate(AX_TYPES)
        ),
        "      </EnumType>",
        "    </Schema>",
        "  </edmx:DataServices>",
        "</edmx:Edmx>",
    ]
    return "\n".join(lines).encode()


def _label(name: str) -> str:
    return f'<Annotation Term="{TERMS}.LabelId" String="@Sandbox:{name}" />'


def _enum(name: str, members: Mapping[str, int]) -> Iterator[str]:
    yield f'      <EnumType Name="{name}">'
    for member, number in members.items():
        yield f'        <Member Name="{member}" Value="{number}">'
        yield f"          {_label(f'{name}_{member}')}"
        yield "        </Member>"
    yield f"        {_label(name)}"
    yield "      </EnumType>"


def _entity_type(entity: Entity) -> Iterator[str]:
    yield f'      <EntityType Name="{entity.type_name}">'
    if keys := [each for each in entity.properties if each.in_key]:
        yield "        <Key>"
        for each in keys:
            yield f'          <PropertyRef Name="{each.name}" />'
        yield "        </Key>"
    for each in entity.properties:
        edm_type, ax_type = TYPES.get(each.type, (f"{NAMESPACE}.{each.type}", "Enum"))
        is_enum = each.type not in TYPES
        nullable = is_enum or (edm_type in NULLABLE and not each.in_key)
        facet = "" if nullable else ' Nullable="false"'
        yield f'        <Property Name="{each.name}" Type="{edm_type}"{facet}>'
        yield f"          {_label(each.name)}"
        if each.in_key:
            yield f'          <Annotation Term="{TERMS}.IsRequired" Bool="true" />'
            yield f'          <Annotation Term="{TERMS}.AllowEdit" Bool="false" />'
        yield f'          <Annotation Term="{AX_TYPE}">'
        yield f"            <EnumMember>{AX_TYPE}/{ax_type}</EnumMember>"
        yield "          </Annotation>"
        yield "        </Property>"
    for link in entity.links:
        target = f"{NAMESPACE}.{link.target}"
        yield f'        <NavigationProperty Name="{link.name}" Type="{target}">'
        for own, other in link.pairs:
            constraint = f'Property="{own}" ReferencedProperty="{other}"'
            yield f"          <ReferentialConstraint {constraint} />"
        yield "        </NavigationProperty>"
    yield f"        {_label(entity.type_name)}"
    yield "      </EntityType>"


def without(document: bytes, set_name: str) -> bytes:
    """Return a document without one entity set."""
    name = re.escape(set_name.encode())
    pattern = rb'\s*<EntitySet Name="%s"[^>]*?(?:/>|>.*?</EntitySet>)' % name
    return re.sub(pattern, b"", document, count=1, flags=re.DOTALL)
