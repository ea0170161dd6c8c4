"""`$metadata` in the form of Business Central, and the service document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from sandbox.business_central.csdl import API

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


CAPABILITIES = "Org.OData.Capabilities.V1"
FACETS = {"Edm.Decimal": ' Scale="Variable"'}
NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Entity:
    """An entity set with its type.

    Attributes:
        set_name: Name of the entity set.
        type_name: Name of the entity type.
        key: Properties of the key.
        properties: Types by property: a primitive type without `Edm.`, an enumeration, the largest
            length of a text, or a complex type of a collection in square brackets.
        links: Navigation properties to one row: set and own property that has the id of the row.
        lists: Navigation properties to several rows: set and property that has the own id. An empty
            property leaves out the referential constraint.
        is_sortable: Whether `$orderby` is supported.
        is_global: Whether the rows are in no company.
    """

    set_name: str
    type_name: str
    key: tuple[str, ...]
    properties: Mapping[str, str]
    links: Mapping[str, tuple[str, str]]
    lists: Mapping[str, tuple[str, str]]
    is_sortable: bool = True
    is_global: bool = False


def write(
    entities: Iterable[Entity],
    enums: Mapping[str, Sequence[str]] = NONE,
    complex_types: Mapping[str, Mapping[str, str]] = NONE,
    namespace: str = API,
) -> bytes:
    """Return a CSDL document.

    Args:
        entities: The entity sets.
        enums: Names of the members by enumeration.
        complex_types: Types of the properties by complex type.
        namespace: Namespace of the document.
    """
    entities = list(entities)
    types = {each.set_name: each.type_name for each in entities}
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">',
        "  <edmx:DataServices>",
        f'    <Schema Namespace="{namespace}" xmlns="http://docs.oasis-open.org/odata/ns/edm">',
    ]
    for name, members in enums.items():
        lines.append(f'      <EnumType Name="{name}">')
        lines += [
            f'        <Member Name="{member}" Value="{number}" />'
            for number, member in enumerate(members)
        ]
        lines.append("      </EnumType>")
    for name, properties in complex_types.items():
        lines.append(f'      <ComplexType Name="{name}">')
        lines += [
            f'        <Property Name="{each}" {_type(kind, namespace)} />'
            for each, kind in properties.items()
        ]
        lines.append("      </ComplexType>")
    for entity in entities:
        lines += _entity_type(entity, namespace, types, entities)
    lines.append('      <EntityContainer Name="NAV">')
    for entity in entities:
        lines += _entity_set(entity, namespace)
    lines += ["      </EntityContainer>", "    </Schema>", "  </edmx:DataServices>"]
    lines.append("</edmx:Edmx>")
    return "\n".join(lines).encode()


def _entity_type(
    entity: Entity, namespace: str, types: Mapping[str, str], entities: Sequence[Entity]
) -> Iterator[str]:
    yield f'      <EntityType Name="{entity.type_name}">'
    yield "        <Key>"
    for name in entity.key:
        yield f'          <PropertyRef Name="{name}" />'
    yield "        </Key>"
    for name, kind in entity.properties.items():
        nullable = ' Nullable="false"' if name in entity.key else ""
        yield f'        <Property Name="{name}" {_type(kind, namespace)}{nullable} />'
    if entity.set_name == "companies":
        for other in entities:
            if not other.is_global:
                target = f"Collection({namespace}.{other.type_name})"
                yield _navigation(other.set_name, target, "") + " />"
    for name, (target, own) in entity.links.items():
        yield _navigation(name, f"{namespace}.{types[target]}", "") + ">"
        yield _constraint(own, "id")
        yield "        </NavigationProperty>"
    for name, (target, other_name) in entity.lists.items():
        kind = f"Collection({namespace}.{types[target]})"
        if not other_name:
            yield _navigation(name, kind, "") + " />"
            continue
        yield _navigation(name, kind, entity.type_name) + ">"
        yield _constraint("id", other_name)
        yield "        </NavigationProperty>"
    yield "      </EntityType>"


def _type(kind: str, namespace: str) -> str:
    if kind.isdecimal():
        return f'Type="Edm.String" MaxLength="{kind}"'
    if kind.startswith("["):
        return f'Type="Collection({namespace}.{kind[1:-1]})"'
    if kind[0].islower():
        return f'Type="{namespace}.{kind}"'
    full = f"Edm.{kind}"
    return f'Type="{full}"{FACETS.get(full, "")}'


def _navigation(name: str, kind: str, partner: str) -> str:
    also = f" Partner={quoteattr(partner)}" if partner else ""
    return f'        <NavigationProperty Name="{name}" Type="{kind}"{also} ContainsTarget="true"'


def _constraint(own: str, other: str) -> str:
    return f'          <ReferentialConstraint Property="{own}" ReferencedProperty="{other}" />'


def _entity_set(entity: Entity, namespace: str) -> Iterator[str]:
    yield (
        f'        <EntitySet Name="{entity.set_name}" EntityType="{namespace}.{entity.type_name}">'
    )
    sortable = str(entity.is_sortable).lower()
    for term, name, value in (
        ("ChangeTracking", "Supported", "false"),
        ("SortRestrictions", "Sortable", sortable),
    ):
        yield f'          <Annotation Term="{CAPABILITIES}.{term}">'
        yield f'            <Record><PropertyValue Property="{name}" Bool="{value}" /></Record>'
        yield "          </Annotation>"
    yield "        </EntitySet>"


def without(document: bytes, set_name: str, column: str = "", type_name: str = "") -> bytes:
    """Return a document without an entity set, or without a column.

    Args:
        document: The document.
        set_name: Name of the entity set.
        column: Name of the column. Empty removes the set, with what leads to it.
        type_name: Name of the set's entity type.
    """
    if not column:
        kind = rb"Type=\"(?:Collection\()?[\w.]*\b%s\)?\"" % type_name.encode()
        name = b'Name="%s"' % set_name.encode()
        document = _removed(document, b"EntitySet", name)
        return _removed(document, b"NavigationProperty", kind, everywhere=True)
    start = document.index(b'<EntityType Name="%s"' % type_name.encode())
    end = document.index(b"</EntityType>", start)
    name = b'Name="%s"' % column.encode()
    inner = _removed(document[start:end], b"Property", name)
    return document[:start] + inner + document[end:]


def _removed(document: bytes, tag: bytes, with_: bytes, *, everywhere: bool = False) -> bytes:
    """Return a document without elements that have an attribute."""
    pattern = rb"\s*<%s (?:[^>]*\s)?%s[^>]*?(?:/>|>.*?</%s>)" % (tag, with_, tag)
    return re.sub(pattern, b"", document, count=0 if everywhere else 1, flags=re.DOTALL)
