"""Declarations of columns of the organisation."""

from __future__ import annotations

from dataclasses import replace

from sandbox.data.model import EDM_TYPES, LOOKUPS, Column, Kind, Label, Option, OptionSet

YES, NO = Label("Yes", "Ja"), Label("No", "Nein")


def column(  # noqa: PLR0913  - a column has that many traits, and each is named
    name: str,
    kind: Kind,
    english: str,
    german: str,
    values: str = "",
    *,
    nulls: float = 0.0,
    description: str = "",
    options: OptionSet | None = None,
    targets: tuple[str, ...] = (),
    max_length: int | None = None,
    scale: int | None = None,
    computed: bool = False,
) -> Column:
    """Declare a column; property name and Edm type follow from its kind."""
    navigation = targets
    if kind in LOOKUPS:
        alone = kind is Kind.OWNER or len(targets) == 1
        # Navigation properties of custom columns have the schema name, with an uppercase letter.
        prefix, _, rest = name.partition("new_")
        own = name if prefix or not rest else f"new_{rest.capitalize()}"
        navigation = tuple(own if alone else f"{own}_{target}" for target in targets)
    return Column(
        name=name,
        kind=kind,
        property_name=f"_{name}_value" if kind in LOOKUPS else name,
        edm_type=EDM_TYPES[kind],
        label=Label(english, german),
        description=description or f"Shows the {english[:1].lower()}{english[1:]} of the record.",
        values=values,
        nulls=nulls,
        options=options,
        targets=targets,
        navigation=navigation,
        max_length=max_length,
        scale=scale,
        computed=computed,
    )


def key(name: str, english: str, german: str) -> Column:
    """Declare the primary id of a table."""
    text = f"Unique identifier of the {english.lower()}."
    return column(name, Kind.UNIQUE_IDENTIFIER, english, german, "key", description=text)


def reference(name: str, english: str, german: str, target: str) -> Column:
    """Declare a GUID that points at another table, as intersect tables have them."""
    return column(name, Kind.UNIQUE_IDENTIFIER, english, german, f"ids:{target}", computed=True)


def text(  # noqa: PLR0913, PLR0917  - as above; a declaration reads as a line of a list
    name: str,
    english: str,
    german: str,
    values: str = "words",
    nulls: float = 0.0,
    length: int = 100,
) -> Column:
    """Declare a single line of text."""
    return column(name, Kind.STRING, english, german, values, nulls=nulls, max_length=length)


def memo(
    name: str, english: str, german: str, values: str = "paragraph", nulls: float = 0.5
) -> Column:
    """Declare a text of several lines."""
    return column(name, Kind.MEMO, english, german, values, nulls=nulls, max_length=1_048_576)


def computed_memo(name: str, english: str, german: str, values: str) -> Column:
    """Declare a computed text of several lines."""
    return column(name, Kind.MEMO, english, german, values, max_length=1_000, computed=True)


def integer(
    name: str, english: str, german: str, values: str = "integer:0:1000", nulls: float = 0.2
) -> Column:
    """Declare a 32-bit integer."""
    return column(name, Kind.INTEGER, english, german, values, nulls=nulls)


def bigint(name: str, english: str, german: str, values: str, nulls: float = 0.2) -> Column:
    """Declare a 64-bit integer."""
    return column(name, Kind.BIGINT, english, german, values, nulls=nulls)


def decimal(  # noqa: PLR0913, PLR0917  - as above
    name: str, english: str, german: str, values: str, scale: int = 2, nulls: float = 0.2
) -> Column:
    """Declare a decimal with a fixed number of digits after the point."""
    return column(name, Kind.DECIMAL, english, german, values, nulls=nulls, scale=scale)


def double(name: str, english: str, german: str, values: str, nulls: float = 0.3) -> Column:
    """Declare a floating-point number."""
    return column(name, Kind.DOUBLE, english, german, values, nulls=nulls, scale=5)


def money(name: str, english: str, german: str, nulls: float = 0.2) -> tuple[Column, Column]:
    """Declare an entered amount with four decimal places, and the same in the base currency."""
    return (
        column(name, Kind.MONEY, english, german, "money", nulls=nulls, scale=4),
        column(
            f"{name}_base",
            Kind.MONEY,
            f"{english} (Base)",
            f"{german} (Basis)",
            f"base:{name}",
            scale=4,
            computed=True,
        ),
    )


def computed_money(name: str, english: str, german: str) -> tuple[Column, Column]:
    """Declare a computed amount with ten decimal places, and the same in the base currency."""
    plain, base = money(name, english, german)
    return (
        replace(plain, values="computed", scale=10, computed=True),
        replace(base, scale=10),
    )


def boolean(  # noqa: PLR0913, PLR0917  - as above
    name: str,
    english: str,
    german: str,
    nulls: float = 0.0,
    yes: Label = YES,
    no: Label = NO,
) -> Column:
    """Declare a yes/no column."""
    options = OptionSet(name, (Option(0, no), Option(1, yes)))
    return column(name, Kind.BOOLEAN, english, german, "boolean", nulls=nulls, options=options)


def choice(name: str, english: str, german: str, options: OptionSet, nulls: float = 0.2) -> Column:
    """Declare a choice of one value."""
    return column(name, Kind.PICKLIST, english, german, "option", nulls=nulls, options=options)


def choices(name: str, english: str, german: str, options: OptionSet, nulls: float = 0.2) -> Column:
    """Declare a choice of several values, in rows a text such as `2,3,8`."""
    return column(name, Kind.MULTI_SELECT, english, german, "options", nulls=nulls, options=options)


def state(
    table: str, states: tuple[Option, ...], reasons: tuple[Option, ...]
) -> tuple[Column, ...]:
    """Declare the status of a row and the status reason."""
    return (
        column(
            "statecode",
            Kind.STATE,
            "Status",
            "Status",
            "state",
            options=OptionSet(f"{table}_statecode", states),
        ),
        column(
            "statuscode",
            Kind.STATUS,
            "Status Reason",
            "Statusgrund",
            "status",
            options=OptionSet(f"{table}_statuscode", reasons),
        ),
    )


def active_or_not(table: str) -> tuple[Column, ...]:
    """Declare the two states that most tables have."""
    active, inactive = Label("Active", "Aktiv"), Label("Inactive", "Inaktiv")
    return state(
        table,
        (Option(0, active), Option(1, inactive)),
        (Option(1, active, 0), Option(2, inactive, 1)),
    )


def moment(
    name: str, english: str, german: str, values: str = "moment", nulls: float = 0.3
) -> Column:
    """Declare a point in time, stored in UTC."""
    return column(name, Kind.DATETIME, english, german, values, nulls=nulls)


def day(name: str, english: str, german: str, values: str = "day", nulls: float = 0.3) -> Column:
    """Declare a date without a time."""
    plain = column(name, Kind.DATETIME, english, german, values, nulls=nulls)
    return replace(plain, edm_type="Edm.Date", behavior="DateOnly")


def wall_clock(name: str, english: str, german: str, nulls: float = 0.3) -> Column:
    """Declare a date and time that is the same in every time zone."""
    plain = column(name, Kind.DATETIME, english, german, "moment", nulls=nulls)
    return replace(plain, behavior="TimeZoneIndependent")


def lookup(name: str, english: str, german: str, *targets: str, nulls: float = 0.2) -> Column:
    """Declare a reference to a row of one or several tables."""
    return column(name, Kind.LOOKUP, english, german, "lookup", nulls=nulls, targets=targets)


def customer(name: str, english: str, german: str, nulls: float = 0.1) -> Column:
    """Declare a reference to an account or a contact."""
    return column(
        name,
        Kind.CUSTOMER,
        english,
        german,
        "lookup",
        nulls=nulls,
        targets=("account", "contact"),
    )


VERSION = column(
    "versionnumber",
    Kind.BIGINT,
    "Version Number",
    "Versionsnummer",
    "version",
    description="Version number of the record.",
    computed=True,
)
CREATED_ON = column(
    "createdon",
    Kind.DATETIME,
    "Created On",
    "Erstellt am",
    "created",
    description="Date and time when the record was created.",
    computed=True,
)
MODIFIED_ON = column(
    "modifiedon",
    Kind.DATETIME,
    "Modified On",
    "Geändert am",
    "modified",
    description="Date and time when the record was last updated.",
    computed=True,
)
CREATED_BY = column(
    "createdby",
    Kind.LOOKUP,
    "Created By",
    "Erstellt von",
    "lookup",
    targets=("systemuser",),
    computed=True,
)
MODIFIED_BY = column(
    "modifiedby",
    Kind.LOOKUP,
    "Modified By",
    "Geändert von",
    "lookup",
    targets=("systemuser",),
    computed=True,
)
TRACES = (
    CREATED_ON,
    CREATED_BY,
    MODIFIED_ON,
    MODIFIED_BY,
    moment("overriddencreatedon", "Record Created On", "Datensatz erstellt am", nulls=0.9),
    integer("importsequencenumber", "Import Sequence Number", "Importsequenznummer", nulls=0.7),
    integer(
        "timezoneruleversionnumber",
        "Time Zone Rule Version Number",
        "Zeitzonenregel-Versionsnummer",
        "integer:0:4",
    ),
    VERSION,
)
OWNED = (
    column(
        "ownerid",
        Kind.OWNER,
        "Owner",
        "Besitzer",
        "lookup",
        targets=("systemuser", "team"),
    ),
    lookup(
        "owningbusinessunit",
        "Owning Business Unit",
        "Besitzende Unternehmenseinheit",
        "businessunit",
        nulls=0.0,
    ),
)
CURRENCY = (
    lookup("transactioncurrencyid", "Currency", "Währung", "transactioncurrency", nulls=0.0),
    decimal("exchangerate", "Exchange Rate", "Wechselkurs", "rate", scale=12, nulls=0.0),
)


def address(number: int, nulls: float = 0.2) -> tuple[Column, ...]:
    """Declare the columns of a postal address."""
    name, english, german = f"address{number}", f"Address {number}", f"Adresse {number}"
    return (
        text(f"{name}_line1", f"{english}: Street 1", f"{german}: Straße 1", "street", nulls, 250),
        text(f"{name}_line2", f"{english}: Street 2", f"{german}: Straße 2", "street", 0.9, 250),
        text(f"{name}_city", f"{english}: City", f"{german}: Ort", "city", nulls, 80),
        text(f"{name}_postalcode", f"{english}: ZIP", f"{german}: PLZ", "postcode", nulls, 20),
        text(
            f"{name}_stateorprovince", f"{english}: State", f"{german}: Region", "region", nulls, 50
        ),
        text(f"{name}_country", f"{english}: Country", f"{german}: Land", "country", nulls, 80),
        text(f"{name}_telephone1", f"{english}: Phone", f"{german}: Telefon", "phone", 0.5, 50),
        double(
            f"{name}_latitude", f"{english}: Latitude", f"{german}: Breitengrad", "double:-90:90"
        ),
        double(
            f"{name}_longitude", f"{english}: Longitude", f"{german}: Längengrad", "double:-180:180"
        ),
    )
