"""Data model of an organisation: tables, columns, choices.

The terms are those of Dataverse: a table has a logical name (`account`), an entity set (`accounts`)
and columns; a column has a kind, which Dataverse calls its attribute type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

ENGLISH, GERMAN = 1033, 1031
# Version number of the first row of a database.
FIRST_VERSION = 1_000_000


class Label(NamedTuple):
    """A text in the two languages of the organisation: English (1033) and German (1031)."""

    english: str
    german: str

    def of(self, language: int) -> str:
        """Return the text in a language."""
        return self.german if language == GERMAN else self.english


NO_LABEL = Label("", "")


class Kind(StrEnum):
    """Kind of a column; the values are those of `AttributeTypeName`."""

    BIGINT = "BigIntType"
    BOOLEAN = "BooleanType"
    CUSTOMER = "CustomerType"
    DATETIME = "DateTimeType"
    DECIMAL = "DecimalType"
    DOUBLE = "DoubleType"
    ENTITY_NAME = "EntityNameType"
    FILE = "FileType"
    IMAGE = "ImageType"
    INTEGER = "IntegerType"
    LOOKUP = "LookupType"
    MANAGED = "ManagedPropertyType"
    MEMO = "MemoType"
    MONEY = "MoneyType"
    MULTI_SELECT = "MultiSelectPicklistType"
    OWNER = "OwnerType"
    PICKLIST = "PicklistType"
    STATE = "StateType"
    STATUS = "StatusType"
    STRING = "StringType"
    UNIQUE_IDENTIFIER = "UniqueidentifierType"
    # Stored, but not a property of the rows that the service returns.
    HIDDEN = "Hidden"
    # Only in CSDL documents of services other than Dataverse.
    STRUCTURE = "Structure"
    STREAM = "Stream"
    TIME = "Time"


LOOKUPS = frozenset({Kind.LOOKUP, Kind.CUSTOMER, Kind.OWNER})
# Kinds whose values are JSON texts.
OBJECTS = frozenset({Kind.MANAGED, Kind.STRUCTURE})
CHOICES = frozenset({Kind.PICKLIST, Kind.STATE, Kind.STATUS})

EDM_TYPES = {
    Kind.BIGINT: "Edm.Int64",
    Kind.BOOLEAN: "Edm.Boolean",
    Kind.CUSTOMER: "Edm.Guid",
    Kind.DATETIME: "Edm.DateTimeOffset",
    Kind.DECIMAL: "Edm.Decimal",
    Kind.DOUBLE: "Edm.Double",
    Kind.ENTITY_NAME: "Edm.String",
    Kind.FILE: "Edm.Guid",
    Kind.IMAGE: "Edm.Binary",
    Kind.INTEGER: "Edm.Int32",
    Kind.LOOKUP: "Edm.Guid",
    Kind.MANAGED: "mscrm.BooleanManagedProperty",
    Kind.MEMO: "Edm.String",
    Kind.MONEY: "Edm.Decimal",
    Kind.MULTI_SELECT: "Edm.String",
    Kind.OWNER: "Edm.Guid",
    Kind.PICKLIST: "Edm.Int32",
    Kind.STATE: "Edm.Int32",
    Kind.STATUS: "Edm.Int32",
    Kind.STREAM: "Edm.Stream",
    Kind.STRING: "Edm.String",
    Kind.UNIQUE_IDENTIFIER: "Edm.Guid",
}

# Types whose values are stored as whole numbers.
INTEGERS = frozenset(
    {"Edm.Byte", "Edm.SByte", "Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Boolean"}
)
# Column that distinguishes rows of an elastic table with the same id.
PARTITION = "partitionid"
EXACT_TEXT = frozenset({"Edm.Decimal", "Edm.Double", "Edm.Single"})


class Option(NamedTuple):
    """One value of a choice.

    Attributes:
        value: The number.
        label: The label.
        state: Value of the column `statecode` that the option belongs to, if it is a status.
    """

    value: int
    label: Label
    state: int | None = None


@dataclass(frozen=True)
class OptionSet:
    """Values of a choice column; a global option set is shared by several columns."""

    name: str
    options: tuple[Option, ...]
    is_global: bool = False


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Logical name, such as `primarycontactid`.
        kind: Kind of the column.
        property_name: Name in a row, such as `_primarycontactid_value`.
        edm_type: Type in the CSDL document.
        label: Display name.
        description: Description.
        values: Recipe by which values are invented. Empty takes the recipe of the kind.
        nulls: Share of the rows in which the column is null.
        options: Values of a choice.
        targets: Logical names of the tables that a lookup can point at.
        navigation: Name of the navigation property for each target of a lookup.
        max_length: Maximum length of a text.
        scale: Number of digits after the decimal point.
        behavior: Behavior of a date: UserLocal, DateOnly or TimeZoneIndependent.
        computed: Whether the service computes the value.
        nameless: Whether a lookup has no annotation with the name of the row that it points at.
        members: Names of an enumeration's members.
        fields: Properties of a complex type.
        is_collection: Whether a value is a list.
    """

    name: str
    kind: Kind
    property_name: str
    edm_type: str
    label: Label = NO_LABEL
    description: str = ""
    values: str = ""
    nulls: float = 0.0
    options: OptionSet | None = None
    targets: tuple[str, ...] = ()
    navigation: tuple[str, ...] = ()
    max_length: int | None = None
    scale: int | None = None
    behavior: str = "UserLocal"
    computed: bool = False
    nameless: bool = False
    members: tuple[str, ...] = ()
    fields: tuple[Column, ...] = ()
    is_collection: bool = False

    @property
    def is_polymorphic(self) -> bool:
        """Whether a lookup can point at rows of several tables."""
        return len(self.targets) > 1

    @property
    def type_column(self) -> str:
        """Name of the stored column with the table that a polymorphic lookup points at."""
        return f"{self.property_name}@type"


class TableType(StrEnum):
    """Where the rows of a table are: in SQL Server, in Cosmos DB, or in another system."""

    STANDARD = "Standard"
    ELASTIC = "Elastic"
    VIRTUAL = "Virtual"


class Etag(StrEnum):
    """What a row's `@odata.etag` is made of; most tables without a version have no etag."""

    VERSION = "version"
    COSMOS_DB = "cosmos"
    KEY = "key"


@dataclass(frozen=True)
class Table:
    """One table, including inherited columns.

    Attributes:
        name: Logical name.
        set_name: Name of the entity set. Empty for a base type that is only in the CSDL document.
        columns: The columns.
        key: Properties of the CSDL key, which `systemuser` shares with its base type.
        primary_id: Column that identifies rows; the first one of a composite key.
        base: Entity type that the table inherits from, without namespace.
        readable: Whether the table has the RetrieveMultiple message.
        union_of: Logical names of the tables whose rows an abstract table shows.
        data_provider: Id of the data provider of a virtual table.
        etag: What a row's `@odata.etag` is made of.
        always_returned: Columns that each row has, whatever is selected.
        largest_page: Largest number of rows in a page.
        is_alphabetical: Whether rows have their columns in alphabetical order, with the etag last.
        bare_lookups: Whether annotations of lookups have no navigation property, with the table
            that a lookup points at first.
        share: Share of the invented rows.
        fixed_rows: Number of invented rows, whatever the share.
    """

    name: str
    set_name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    primary_id: str
    primary_name: str = ""
    schema_name: str = ""
    type_code: int = 0
    label: Label = NO_LABEL
    plural: Label = NO_LABEL
    description: str = ""
    base: str = "crmbaseentity"
    abstract: bool = False
    intersect: bool = False
    private: bool = False
    activity: bool = False
    custom: bool = False
    logical: bool = False
    table_type: TableType = TableType.STANDARD
    data_provider: str = ""
    etag: Etag = Etag.VERSION
    always_returned: tuple[str, ...] = ()
    largest_page: int = 5_000
    is_alphabetical: bool = False
    bare_lookups: bool = False
    change_tracking: bool = False
    ownership: str = "UserOwned"
    readable: bool = True
    union_of: tuple[str, ...] = ()
    share: float = 1.0
    fixed_rows: int | None = None

    @cached_property
    def by_property(self) -> dict[str, Column]:
        """Columns by the names that they have in rows."""
        return {column.property_name: column for column in self.columns}

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Places of columns, from 1, by their logical names."""
        return {column.name: number for number, column in enumerate(self.columns, 1)}

    @cached_property
    def row_key(self) -> tuple[str, ...]:
        """Properties that identify rows, and by which rows are paged."""
        if self.table_type is TableType.ELASTIC:
            return (self.primary_id, PARTITION)
        return self.key if len(self.key) > 1 else (self.primary_id,)

    @cached_property
    def version_column(self) -> str:
        """Property with the version of a row, or an empty string."""
        return "versionnumber" if "versionnumber" in self.by_property else ""


@dataclass(eq=False)
class Model:
    """Data model of a service.

    Attributes:
        namespace: Namespace of the CSDL document.
        alias: Alias of the namespace.
        tables: The tables.
        document: CSDL document that the model was read from, if there is one.
        container: Name of the entity container.
        collation: SQL collation of texts.
        version: Version of the metadata, which increases with each change.
        history: For each change the new version, the name of the table, and the table before the
            change; None if there was no such table.
        user_language: Language of the user who signs in.
    """

    namespace: str
    alias: str
    tables: tuple[Table, ...]
    document: bytes | None = None
    container: str = "System"
    collation: str = "NOCASE"
    version: int = 107_932_318
    history: list[tuple[int, str, Table | None]] = field(default_factory=list)
    user_language: int = ENGLISH

    @cached_property
    def by_name(self) -> dict[str, Table]:
        """Tables by logical name."""
        return {table.name: table for table in self.tables}

    @cached_property
    def by_set(self) -> dict[str, Table]:
        """Tables by the name of their entity set."""
        return {table.set_name: table for table in self.tables if table.set_name}

    def replace(self, name: str, *changed: Table) -> None:
        """Replace a table, or remove it.

        Args:
            name: Logical name of the table.
            *changed: The table from now on. None given removes the table.
        """
        before = self.by_name.get(name)
        self.tables = tuple(
            each for table in self.tables for each in ((table,) if table.name != name else changed)
        )
        self._changed(name, before)

    def add(self, table: Table) -> None:
        """Add a table."""
        self.tables = (*self.tables, table)
        self._changed(table.name, None)

    def _changed(self, name: str, before: Table | None) -> None:
        self.version += 1
        self.history.append((self.version, name, before))
        self.__dict__.pop("by_name", None)
        self.__dict__.pop("by_set", None)
