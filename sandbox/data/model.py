"""The data model of an organisation as plain values: tables, columns, choices.

The words are those of Dataverse: a table has a logical name (`account`), an entity set
(`accounts`) and columns; a column has a kind, which Dataverse calls its attribute type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

ENGLISH, GERMAN = 1033, 1031


class Label(NamedTuple):
    """A text in the organisation's two languages: English (1033) and German (1031)."""

    english: str
    german: str

    def of(self, language: int) -> str:
        """The text in a language."""
        return self.german if language == GERMAN else self.english


NO_LABEL = Label("", "")


class Kind(StrEnum):
    """What a column is; the values are those of `AttributeTypeName`."""

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
    # Only in documents of services that are not Dataverse.
    STRUCTURE = "Structure"
    STREAM = "Stream"
    TIME = "Time"


LOOKUPS = frozenset({Kind.LOOKUP, Kind.CUSTOMER, Kind.OWNER})
# Their values are JSON texts.
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

# How values of an Edm type compare and travel: as whole numbers, or digit for digit.
INTEGERS = frozenset(
    {"Edm.Byte", "Edm.SByte", "Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Boolean"}
)
# Tells those rows of an elastic table apart whose ids are the same.
PARTITION = "partitionid"
EXACT_TEXT = frozenset({"Edm.Decimal", "Edm.Double", "Edm.Single"})


class Option(NamedTuple):
    """One value of a choice."""

    value: int
    label: Label
    state: int | None = None


@dataclass(frozen=True)
class OptionSet:
    """The values of a choice column; a global one is shared by several columns."""

    name: str
    options: tuple[Option, ...]
    is_global: bool = False


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: the logical name, `primarycontactid`.
        kind: what it is.
        property_name: its name in a row, `_primarycontactid_value`.
        edm_type: its type in the CSDL document.
        values: the recipe by which rows are invented; empty for the kind's own.
        nulls: which share of the rows leave it empty.
        scale: digits after the decimal point.
        behavior: of a date: UserLocal, DateOnly or TimeZoneIndependent.
        navigation: the navigation property's name for each target of a lookup.
        nameless: whether no annotation tells the name of the row that a lookup leads to.
        members: the names of an enumeration, and `fields` the properties of a complex type.
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
        """Whether a lookup's rows may be of several tables."""
        return len(self.targets) > 1

    @property
    def type_column(self) -> str:
        """Name of the stored column that tells which table a polymorphic lookup points at."""
        return f"{self.property_name}@type"


class TableType(StrEnum):
    """Where the rows are: in SQL Server, in Cosmos DB, or in another system."""

    STANDARD = "Standard"
    ELASTIC = "Elastic"
    VIRTUAL = "Virtual"


class Etag(StrEnum):
    """What a row's `@odata.etag` is made of; without a version most tables have none."""

    VERSION = "version"
    COSMOS_DB = "cosmos"
    KEY = "key"


@dataclass(frozen=True)
class Table:
    """One table, its inherited columns included.

    Attributes:
        key: the properties of the CSDL key, which `systemuser` shares with its base type.
        primary_id: the column that tells rows apart, the first if the key is composite.
        base: the entity type it inherits from, without namespace.
        has_rows: false for a base type that is in the CSDL document only.
        readable: false for a table without the RetrieveMultiple message.
        union_of: the tables whose rows this abstract one shows.
        data_provider: the id of what a virtual table's rows come from.
        etag: how a row's `@odata.etag` is made.
        unasked: columns that every row brings, whatever is selected.
        largest_page: the most rows of a page.
        is_alphabetical: whether rows have their columns in the order of the alphabet, and the
            etag last.
        bare_lookups: whether lookups have no navigation property in annotations, and the table
            that they lead to comes first.
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
    unasked: tuple[str, ...] = ()
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
        """The columns by the names they have in rows."""
        return {column.property_name: column for column in self.columns}

    @cached_property
    def row_key(self) -> tuple[str, ...]:
        """The properties by which rows are told apart and paged."""
        if self.table_type is TableType.ELASTIC:
            return (self.primary_id, PARTITION)
        return self.key if len(self.key) > 1 else (self.primary_id,)

    @cached_property
    def version_column(self) -> str:
        """The property that holds the row's version, or nothing."""
        return "versionnumber" if "versionnumber" in self.by_property else ""


@dataclass(eq=False)
class Model:
    """All that is known of a service's data.

    Attributes:
        document: the CSDL document, when the service was made from one.
        version: rises with every change.
        history: by each change's version, the table's name and what it was before, None for one
            that was not there.
        user_language: of the user who signs in.
    """

    namespace: str
    alias: str
    tables: tuple[Table, ...]
    document: bytes | None = None
    container: str = "System"
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
        """Put another table in the place of one, or none.

        Args:
            name: the table's logical name.
            *changed: what it is from now on.
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
