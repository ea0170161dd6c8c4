"""Table definitions: properties of tables and columns beyond CSDL, such as labels and choices.

The terms are those of Microsoft's page on table definitions. Each docstring gives the service's
name.
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api
"""

from __future__ import annotations

import msgspec

from tap_dynamics365.odata.edm import Table  # noqa: TC001 - msgspec looks it up

# Kinds of lookup columns, which hold the id of another row. Rows name them `_x_value`.
LOOKUPS = frozenset({"LookupType", "CustomerType", "OwnerType"})
# Kinds of Dataverse columns with a maximum length, and with a number of decimal places.
TEXTS = {"StringType", "MemoType"}
FRACTIONS = {"DecimalType", "DoubleType", "MoneyType"}
# Descriptions of dates in Dataverse that are not points in time.
BEHAVIORS = {
    "DateOnly": "A date without a time.",
    "TimeZoneIndependent": "The same in all time zones: the Z at its end does not make it UTC.",
}


class Texts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A label in several languages.

    Attributes:
        by_language: The texts by language code: 1033 is English, 1031 is German.
        user: The language of the signed-in user; None if there is no text in it.
    """

    by_language: dict[int, str] = {}
    user: int | None = None

    @property
    def text(self) -> str | None:
        """The text in the user's language."""
        return None if self.user is None else self.by_language.get(self.user)


NO_TEXTS = Texts()


class Option(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One option of a choice column.

    Attributes:
        value: The value in rows.
        label: The label of the value.
        state: For status columns, the state that the option belongs to.
    """

    value: int
    label: Texts
    state: int | None = None


class OptionSet(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The options of a choice column. A yes/no column has the options 0 and 1."""

    name: str
    is_global: bool
    options: tuple[Option, ...]


class ColumnDefinition(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """One column (`AttributeMetadata`).

    Attributes:
        name: The logical name, such as `primarycontactid`.
        schema_name: The schema name, which has capital letters: `PrimaryContactId`.
        id: The `MetadataId`, by which the service reports deletions.
        kind: The `AttributeTypeName`, such as `PicklistType`.
        attribute_of: The column whose label or name this column holds. Such a column is not in
        rows.
        format: The format, such as `Email` or `DateOnly`.
        behavior: For dates: `UserLocal`, `DateOnly` or `TimeZoneIndependent`.
        precision: The number of decimal places.
        required: `None`, `Recommended`, `ApplicationRequired` or `SystemRequired`.
        custom: Whether it is a custom column.
        readable: Whether the column can be read.
        targets: The tables that a lookup refers to.
        options: The options of choice, state, status and yes/no columns.
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
        """The name in rows, such as `_primarycontactid_value`."""
        return f"_{self.name}_value" if self.kind in LOOKUPS else self.name

    @property
    def facts(self) -> list[str]:
        """What the service declares of the column and JSON Schema can't express, in sentences.

        https://learn.microsoft.com/power-apps/developer/data-platform/behavior-format-date-time-attribute
        """
        facts = []
        if self.max_length is not None and self.kind in TEXTS:
            facts.append(f"Maximum length: {self.max_length}.")
        if self.precision is not None and self.kind in FRACTIONS:
            facts.append(f"Decimal places: {self.precision}.")
        if self.kind == "DateTimeType" and self.behavior in BEHAVIORS:
            facts.append(BEHAVIORS[self.behavior])
        return facts


class TableDefinition(msgspec.Struct, frozen=True, array_like=True, gc=False, kw_only=True):
    """One table (`EntityMetadata`).

    Attributes:
        name: The logical name, such as `account`.
        entity_set: The name in URLs, such as `accounts`.
        collection_name: The logical collection name.
        id: The `MetadataId`, by which the service reports deletions.
        ownership: The ownership type, such as `UserOwned` or `OrganizationOwned`.
        table_type: `Standard`, `Virtual` or `Elastic`.
        tracked: Whether change tracking is enabled.
        custom: Whether it is a custom table.
        private: Whether the table is private.
        provider: The data provider of a virtual table.
        columns: All columns, also those that only hold the label of another column.
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
        """Whether a data provider fetches the rows from another source."""
        return self.table_type == "Virtual" or self.provider is not None

    @property
    def by_property(self) -> dict[str, ColumnDefinition]:
        """The columns of rows, by their names in rows."""
        return {
            column.property_name: column for column in self.columns if column.attribute_of is None
        }


class Definitions(msgspec.Struct, frozen=True):
    """The definitions of tables.

    Attributes:
        tables: The definitions by logical name.
        stamp: The version stamp of the definitions (`ServerVersionStamp`); empty if unknown.
    """

    tables: dict[str, TableDefinition] = {}
    stamp: str = ""


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """The whole description of a service.

    Attributes:
        tables: The tables of its metadata document.
        definitions: The definitions of the tables, if the service provides them.
        version: The version of its data model, if it has one.
    """

    tables: tuple[Table, ...]
    definitions: Definitions = Definitions()
    version: str | int = ""
