"""Entity data model: the tables of a service, their columns and types.

Structs, because a schema map has tens of thousands of columns.
"""

from __future__ import annotations

import msgspec

# Enumerations with more members are kept without them. A service may have thousands of columns with
# hundreds of members.
MAX_MEMBERS = 6


class Primitive(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=True):
    """A type with a single value, such as `Edm.Guid`."""

    name: str


class Enumeration(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=True):
    """An enumeration (section 10). Rows hold the names of its members.

    Attributes:
        name: The qualified name, which filters need.
        members: The names of the members; empty if there are more than `MAX_MEMBERS`.
    """

    name: str
    members: tuple[str, ...] = ()


class Complex(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=True):
    """A type with named properties; without any if the type contains itself, or is too deep."""

    columns: tuple[Column, ...]


class Collection(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=True):
    """Many values of one type."""

    item: EdmType


EdmType = Primitive | Enumeration | Complex | Collection


class Column(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A property of an entity type or of a complex type.

    Attributes:
        name: The name.
        type: The type.
        description: The description in the metadata document.
        scale: The number of decimal places, if the metadata document declares one.
    """

    name: str
    type: EdmType
    description: str | None = None
    scale: int | None = None


class Navigation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A navigation property (section 8): the way from a row to rows of another type.

    Attributes:
        name: The name in URLs.
        target: The qualified name of the type of the rows it leads to.
        is_collection: Whether it leads to several rows.
        pairs: The columns with equal values, of the row and of the rows it leads to.
    """

    name: str
    target: str
    is_collection: bool = False
    pairs: tuple[tuple[str, str], ...] = ()


class Table(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An entity set and the type of its rows.

    Attributes:
        name: The name of the entity type, which Dataverse calls the logical name; or the name of
            the entity set, see `read`.
        entity_set: The name of the entity set in URLs.
        key: The columns that identify a row; empty if there is no key.
        columns: The columns. Inherited columns come first.
        description: The description in the metadata document.
        private: Whether the table is private, and therefore not selected by default.
        tracked: Whether the service tracks changes.
        type_name: The name of the entity type.
        namespace: The namespace of the entity type, if navigation properties are read.
        navigations: The navigation properties, if they are read.
        parameters: The properties that are parameters of a query and no columns.
    """

    name: str
    entity_set: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    description: str | None = None
    private: bool = False
    tracked: bool = False
    type_name: str = ""
    namespace: str = ""
    navigations: tuple[Navigation, ...] = ()
    parameters: tuple[str, ...] = ()
