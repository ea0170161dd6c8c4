"""What Dataverse says of a table and its columns beyond CSDL: labels, choices, kinds.

The words are those of Microsoft's page on table definitions; in each docstring stands what the
service calls the thing.
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api
"""

from __future__ import annotations

import msgspec

from tap_dynamics365.odata.csdl import Table  # noqa: TC001 - msgspec looks it up

# Kinds of columns that hold the id of a row elsewhere: rows name them `_x_value`.
LOOKUPS = frozenset({"LookupType", "CustomerType", "OwnerType"})


class Texts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A label: a text in each language that the organisation has it in.

    Attributes:
        by_language: The texts by the code of their language: 1033 is English, 1031 German.
        user: The language of who signed in; None where there is no text for it.
    """

    by_language: dict[int, str] = {}
    user: int | None = None

    @property
    def text(self) -> str | None:
        """The text in the user's language."""
        return None if self.user is None else self.by_language.get(self.user)


NO_TEXTS = Texts()


class Option(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One value of a choice.

    Attributes:
        value: As rows have it.
        label: What people read instead.
        state: Of a status, the state that it belongs to.
    """

    value: int
    label: Texts
    state: int | None = None


class OptionSet(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The values that a choice column may have; those of a yes/no column are 0 and 1."""

    name: str
    is_global: bool
    options: tuple[Option, ...]


class ColumnDefinition(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """One column (`AttributeMetadata`).

    Attributes:
        name: The logical name, `primarycontactid`.
        schema_name: The same as people spelt it when they made it.
        id: `MetadataId`, by which the service tells that it was deleted.
        kind: `AttributeTypeName`, such as `PicklistType`.
        attribute_of: The column of which this one only holds label or name: it is not in rows.
        format: Such as `Email`, `DateOnly`.
        behavior: Of dates: `UserLocal`, `DateOnly` or `TimeZoneIndependent`.
        precision: Digits after the decimal point.
        required: `None`, `Recommended`, `ApplicationRequired` or `SystemRequired`.
        custom: Whether somebody added it to what Microsoft has.
        readable: Whether it can be read at all.
        targets: Tables that a lookup leads to.
        options: Of choices, states, status and yes/no columns.
    """

    name: str
    schema_name: str = ""
    id: str = ""
    kind: str = ""
    attribute_of: str | None = None
    display_name: Texts = NO_TEXTS
    description: Texts = NO_TEXTS
    format: str | None = None
    behavior: str | None = None
    max_length: int | None = None
    precision: int | None = None
    required: str | None = None
    custom: bool = False
    readable: bool = True
    targets: tuple[str, ...] = ()
    options: OptionSet | None = None

    @property
    def property_name(self) -> str:
        """What rows call it: `_primarycontactid_value`."""
        return f"_{self.name}_value" if self.kind in LOOKUPS else self.name


class TableDefinition(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """One table (`EntityMetadata`).

    Attributes:
        name: The logical name, `account`.
        entity_set: Its name in addresses, `accounts`.
        collection_name: The logical name of many of its rows.
        id: `MetadataId`, by which the service tells that it was deleted.
        ownership: Such as `UserOwned`, `OrganizationOwned`.
        table_type: `Standard`, `Virtual` or `Elastic`.
        tracked: Whether the service keeps account of its changes.
        custom: Whether somebody added it to what Microsoft has.
        private: Whether the service keeps it to itself.
        provider: The data provider of a virtual table.
        columns: All, those that only hold the label of another too.
    """

    name: str
    schema_name: str = ""
    entity_set: str = ""
    collection_name: str = ""
    id: str = ""
    display_name: Texts = NO_TEXTS
    display_collection_name: Texts = NO_TEXTS
    description: Texts = NO_TEXTS
    primary_id: str = ""
    primary_name: str | None = None
    ownership: str | None = None
    table_type: str | None = None
    tracked: bool = False
    custom: bool = False
    private: bool = False
    provider: str | None = None
    columns: tuple[ColumnDefinition, ...] = ()

    @property
    def is_virtual(self) -> bool:
        """Whether a data provider fetches its rows from elsewhere."""
        return self.table_type == "Virtual" or self.provider is not None

    @property
    def by_property(self) -> dict[str, ColumnDefinition]:
        """The columns that rows have, by their names there."""
        return {
            column.property_name: column for column in self.columns if column.attribute_of is None
        }


class Definitions(msgspec.Struct, frozen=True):
    """What the service says of its tables.

    Attributes:
        tables: The definitions by logical name.
        stamp: The moment of the description (`ServerVersionStamp`); empty if it is not known.
    """

    tables: dict[str, TableDefinition] = {}
    stamp: str = ""


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """The whole description of a service.

    Attributes:
        tables: The tables of its metadata document.
        definitions: The definitions of its tables, if the service has such.
        version: The version of its data model, if it has one.
    """

    tables: tuple[Table, ...]
    definitions: Definitions = Definitions()
    version: str | int = ""
