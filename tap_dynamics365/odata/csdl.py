"""CSDL parser: reads tables and columns from the metadata document.

CSDL is the XML of `$metadata`: "OData Common Schema Definition Language (CSDL) XML
Representation", an OASIS standard. Section numbers below are those of version 4.01.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from xml.parsers import expat

from tap_dynamics365.errors import IncompleteMetadataError, MetadataError
from tap_dynamics365.odata.edm import (
    MAX_MEMBERS,
    Collection,
    Column,
    Complex,
    EdmType,
    Enumeration,
    Navigation,
    Primitive,
    Table,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

# Elements whose annotations are used. Other elements are neither tables nor columns.
ANNOTATED = {"Annotations", "EntitySet", "EntityType", "Property"}
# Constant values of annotations (section 14.3) that are read, as attributes and as elements.
TEXTS = ("String", "EnumMember")
# The most levels of nested complex types. No service nests them deeper.
MAX_DEPTH = 8

DESCRIPTION = "Org.OData.Core.V1.Description"
NO_FACTS: Mapping[str, Mapping[str, str]] = {}


def read(
    chunks: Iterable[bytes],
    metadata_sets: Container[str] = (),
    *,
    is_named_by_set: bool = False,
    has_navigations: bool = False,
    facts: Mapping[str, Mapping[str, str]] = NO_FACTS,
) -> list[Table]:
    """Read a CSDL document as it arrives.

    Args:
        chunks: The pieces of the document.
        metadata_sets: Entity sets that describe the service. They are not tables.
        is_named_by_set: Whether tables are named after their entity sets. If not, they are named
            after their types; of two sets with the same type, the second one after the set.
        has_navigations: Whether to read navigation properties, which large services have tens of
            thousands of.
        facts: Sentences that annotations add to the description of a table or column, by term and
            value.

    Returns:
        The other entity sets in the document's order.

    Raises:
        IncompleteMetadataError: The document is cut off, or damaged.
        MetadataError: The document is not CSDL, or is inconsistent.
    """
    document = _Document(facts, has_navigations=has_navigations)
    try:
        for chunk in chunks:
            document.parser.Parse(chunk, False)  # noqa: FBT003 - expat takes it by position only
    except (expat.ExpatError, LookupError, ValueError) as error:
        # LookupError and ValueError: expat asks Python for an encoding, and Python can't provide
        # it.
        msg = f"The service's $metadata is not well-formed XML: {error}. Is service_url right?"
        # A document with a valid beginning was damaged in transit.
        raise (IncompleteMetadataError if document.described else MetadataError)(msg) from error
    try:
        document.parser.Parse(b"", True)  # noqa: FBT003 - as above
    except expat.ExpatError as error:
        msg = f"The service's $metadata is cut off: {error}. Is service_url right?"
        raise IncompleteMetadataError(msg) from error
    if not document.described:
        msg = "The service's $metadata describes no data (no Schema in it). Is service_url right?"
        raise MetadataError(msg)

    descriptions = document.descriptions
    tables: dict[str, Table] = {}
    for entity_set, type_name in document.sets.items():
        if entity_set in metadata_sets:
            continue
        structure = document.structure(type_name)
        names = [structure.name, entity_set, f"{structure.name}.{entity_set}"]
        if is_named_by_set:
            names.remove(structure.name)
        name = next(name for name in names if name not in tables)
        tables[name] = Table(
            name=name,
            entity_set=entity_set,
            key=document.key(structure),
            columns=document.columns(structure),
            description=descriptions.get(structure.qualified_name),
            tracked=entity_set in document.tracked,
            type_name=structure.name,
            namespace=structure.namespace if has_navigations else "",
            navigations=document.navigations(structure),
        )
    return list(tables.values())


@dataclass(slots=True)
class _Structure:
    """An entity type or a complex type as declared, without what it inherits (sections 6, 9)."""

    namespace: str
    name: str
    base: str | None
    key: list[str] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    # The decimal places of the columns that declare a number of them.
    scales: dict[str, int] = field(default_factory=dict)
    # Types and pairs of columns of navigation properties.
    links: dict[str, tuple[str, list[tuple[str, str]]]] = field(default_factory=dict)

    @property
    def qualified_name(self) -> str:
        return f"{self.namespace}.{self.name}"


class _Document:
    """Collects the declarations of a document while expat reads it."""

    def __init__(
        self, facts: Mapping[str, Mapping[str, str]], *, has_navigations: bool = False
    ) -> None:
        self.described = False
        self._has_navigations = has_navigations
        self._facts = facts
        # An alias hides the namespaces of terms and values until the document has been read.
        self._terms = {term.rpartition(".")[2] for term in facts}
        self._values = {_tail(value) for values in facts.values() for value in values}
        self.sets: dict[str, str] = {}
        # Target, term and text of annotations. Names are kept as written, because an alias may be
        # declared after its use.
        self._notes: list[tuple[str, str, str]] = []
        self._supported: list[tuple[str, str]] = []
        self._aliases: dict[str, str] = {}
        self._structures: dict[str, _Structure] = {}
        # The members by the name of the enumeration.
        self._enumerations: dict[str, list[str]] = {}
        self._members: list[str] = []
        # The pairs of the navigation property that was read last.
        self._pairs: list[tuple[str, str]] = []
        self._definitions: dict[str, str] = {}
        # The types that contain no column, by name. Thousands of columns share each of them.
        self._simple: dict[str, EdmType] = {}
        # The position in the document: open elements, the open type, and the target of annotations.
        self._path: list[str] = []
        self._namespace = ""
        self._open: _Structure | None = None
        self._target = ""
        self._term = ""
        self._text: list[str] | None = None

        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype

    @staticmethod
    def _refuse_doctype(*_: object) -> None:
        # CSDL documents have none. Entity bombs and external entities need one.
        msg = "The service's $metadata has a DOCTYPE, which no service sends: it is not read."
        raise MetadataError(msg)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        parent = self._path[-1] if self._path else ""
        self._path.append(name)
        if name == "Annotation":
            if parent in ANNOTATED:
                self._annotate(attributes)
        elif name == "PropertyValue":
            if self._path[-4] in ANNOTATED and parent == "Record":
                self._support(attributes)
        elif name in TEXTS:
            if parent == "Annotation" and self._path[-3] in ANNOTATED:
                self._text = []
        elif self._open is not None:
            self._start_in_type(name, parent, attributes)
        else:
            self._start_in_schema(name, parent, attributes)

    def _start_in_type(self, name: str, parent: str, attributes: dict[str, str]) -> None:
        structure = self._open
        if structure is None:
            return
        if name == "Property" and parent in {"EntityType", "ComplexType"}:
            column = attributes.get("Name", "")
            structure.types[column] = attributes.get("Type", "Edm.String")
            # `Variable` and `Floating` are no numbers (section 7.2.5).
            if (scale := attributes.get("Scale", "")).isdecimal():
                structure.scales[column] = int(scale)
            self._target = f"{structure.qualified_name}/{column}"
        elif name == "PropertyRef" and parent == "Key":
            structure.key.append(attributes.get("Name", ""))
        elif not self._has_navigations:
            return
        elif name == "NavigationProperty":
            self._pairs = []
            structure.links[attributes.get("Name", "")] = (attributes.get("Type", ""), self._pairs)
        elif name == "ReferentialConstraint" and parent == "NavigationProperty":
            own, other = attributes.get("Property", ""), attributes.get("ReferencedProperty", "")
            self._pairs.append((own, other))

    def _start_in_schema(self, name: str, parent: str, attributes: dict[str, str]) -> None:
        own_name = attributes.get("Name", "")
        match name:
            case "EntityType" | "ComplexType" if parent == "Schema":
                self._open = _Structure(self._namespace, own_name, attributes.get("BaseType"))
                self._target = self._open.qualified_name
                self._structures[self._target] = self._open
            case "EntitySet":
                self.sets[own_name] = attributes.get("EntityType", "")
                self._target = own_name
            case "EnumType":
                self._members = self._enumerations[f"{self._namespace}.{own_name}"] = []
            case "Member" if parent == "EnumType":
                self._members.append(own_name)
            case "TypeDefinition":
                underlying = attributes.get("UnderlyingType", "Edm.String")
                self._definitions[f"{self._namespace}.{own_name}"] = underlying
            case "Annotations":
                self._target = attributes.get("Target", "")
            case "Schema":
                self.described = True
                self._namespace = attributes.get("Namespace", "")
                self._alias(attributes)
            case "Include":
                self._alias(attributes)

    def _end(self, _: str) -> None:
        name = self._path.pop()
        if name in {"EntityType", "ComplexType"}:
            self._open = None
        elif name == "Property" and self._open is not None:
            # Annotations after the property belong to the type again.
            self._target = self._open.qualified_name
        elif name in TEXTS and self._text is not None:
            self._note("".join(self._text))
            self._text = None

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _alias(self, attributes: dict[str, str]) -> None:
        if "Alias" in attributes and "Namespace" in attributes:
            self._aliases[attributes["Alias"]] = attributes["Namespace"]

    def _annotate(self, attributes: dict[str, str]) -> None:
        """Keep the text of an annotation, an attribute or an element (section 14.3)."""
        # Annotations with a qualifier are for special purposes.
        self._term = "" if "Qualifier" in attributes else attributes.get("Term", "")
        for name in TEXTS:
            if name in attributes:
                self._note(attributes[name])

    def _support(self, attributes: dict[str, str]) -> None:
        """Keep the annotation of a capability that the service supports for an entity set."""
        if attributes.get("Property") == "Supported" and attributes.get("Bool") == "true":
            self._supported.append((self._target, self._term))

    def _note(self, text: str) -> None:
        term = self._term.rpartition(".")[2]
        if term == "Description" or (term in self._terms and _tail(text) in self._values):
            self._notes.append((self._target, self._term, text))

    @cached_property
    def descriptions(self) -> dict[str, str]:
        """The descriptions of types and properties, with facts, by qualified name."""
        descriptions: dict[str, str] = {}
        facts: dict[str, str] = {}
        for target, term, text in self._notes:
            full = self._full(term)
            if full == DESCRIPTION:
                descriptions[self._full(target)] = text
            elif fact := self._facts.get(full, {}).get(self._full(text.strip())):
                facts[self._full(target)] = fact
        for target, fact in facts.items():
            description = descriptions.get(target)
            descriptions[target] = f"{description} {fact}" if description else fact
        return descriptions

    @cached_property
    def tracked(self) -> set[str]:
        """The names of entity sets with change tracking."""
        return {
            target.rpartition("/")[2]
            for target, term in self._supported
            if self._full(term) == "Org.OData.Capabilities.V1.ChangeTracking"
        }

    def _full(self, name: str) -> str:
        """Replace an alias by its namespace (section 15.1), and keep the path after it."""
        qualified, slash, rest = name.partition("/")
        namespace, dot, local = qualified.rpartition(".")
        return f"{self._aliases.get(namespace, namespace)}{dot}{local}{slash}{rest}"

    def structure(self, name: str) -> _Structure:
        """Find a type by its qualified name, with namespace or alias."""
        try:
            return self._structures[self._full(name)]
        except KeyError:
            msg = f"The service's $metadata names the type {name}, but does not describe it."
            raise MetadataError(msg) from None

    def _line(self, structure: _Structure) -> list[_Structure]:
        """List a type and its base types, the root first (section 6.2)."""
        line = [structure]
        while line[-1].base:
            ancestor = self.structure(line[-1].base)
            if ancestor in line:
                msg = f"The service's $metadata has {ancestor.qualified_name} inherit from itself."
                raise MetadataError(msg)
            line.append(ancestor)
        return line[::-1]

    def key(self, structure: _Structure) -> tuple[str, ...]:
        """Find the key that is declared nearest to the type.

        Dataverse declares keys again in derived types, which the standard forbids. A key with a
        path into another type (section 6.5) is not supported.
        """
        line = self._line(structure)
        key = next((ancestor.key for ancestor in reversed(line) if ancestor.key), [])
        names = {name for ancestor in line for name in ancestor.types}
        return tuple(key) if names.issuperset(key) else ()

    def navigations(self, structure: _Structure) -> tuple[Navigation, ...]:
        """List the navigation properties of a type, with inherited ones."""
        links = {
            name: link
            for ancestor in self._line(structure)
            for name, link in ancestor.links.items()
        }
        return tuple(
            Navigation(name, self._full(item), item != type_name, tuple(pairs))
            for name, (type_name, pairs) in links.items()
            for item in [type_name.removeprefix("Collection(").removesuffix(")")]
        )

    def columns(
        self, structure: _Structure, within: tuple[_Structure, ...] = ()
    ) -> tuple[Column, ...]:
        """List the columns of a type, with inherited columns.

        Args:
            structure: The type.
            within: The types that contain it, to end the recursion of a type that contains itself.
        """
        columns = {
            name: Column(
                name,
                self._type(type_name, (*within, structure)),
                self.descriptions.get(f"{ancestor.qualified_name}/{name}"),
                ancestor.scales.get(name),
            )
            for ancestor in self._line(structure)
            for name, type_name in ancestor.types.items()
        }
        return tuple(columns.values())

    def _type(self, name: str, within: tuple[_Structure, ...]) -> EdmType:
        item = name.removeprefix("Collection(").removesuffix(")")
        if item != name and "(" not in item:
            return Collection(self._type(item, within))
        if name not in self._simple:
            full = self._full(name)
            structure = self._structures.get(full)
            if structure is not None and full not in self._enumerations:
                if structure in within or len(within) > MAX_DEPTH:
                    return Complex(())
                return Complex(self.columns(structure, within))
            self._simple[name] = self._simple_type(full)
        return self._simple[name]

    def _simple_type(self, name: str) -> EdmType:
        """Return a type that contains no column. An entity type may have the same name."""
        members = self._enumerations.get(name)
        if members is not None:
            return Enumeration(name, tuple(members) if len(members) <= MAX_MEMBERS else ())
        return Primitive(self._definitions.get(name, name))


def _tail(value: str) -> str:
    """Return the name of the member of an enumeration: `Date` of `Namespace.Type/Date`."""
    return value.strip().rpartition("/")[2]
