"""Catalog entry and JSON Schema of a table."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from singer_sdk.singerlib import Catalog, CatalogEntry

from tap_dynamics365.odata.edm import Collection, Column, Complex, EdmType, Primitive, Table
from tap_dynamics365.services.dataverse.kind import REPLICATION_KEYS
from tap_dynamics365.services.table_definition import ColumnDefinition, TableDefinition, Texts
from tap_dynamics365.services.table_schema import json_schema
from tap_dynamics365.singer.catalog import catalog_entry, read_catalog

ID = Column("accountid", Primitive("Edm.Guid"))
AUTOMATIC, AVAILABLE = "automatic", "available"


def entry_of(table: Table, method: str = "INCREMENTAL") -> CatalogEntry:
    """The catalog entry of a table of Dataverse."""
    return catalog_entry(table, method, candidates=REPLICATION_KEYS)


def table(*columns: Column | str, key: tuple[str, ...] = ("accountid",), **more: Any) -> Table:
    """Make a table of accounts; a column that is only named holds text."""
    made = (c if isinstance(c, Column) else Column(c, Primitive("Edm.String")) for c in columns)
    return Table("account", "accounts", key, (ID, *made), **more)


def described(kind: EdmType) -> dict[str, Any]:
    """Tell how a column of a type is described."""
    schema: dict[str, Any] = json_schema(table(Column("c", kind)))["properties"]["c"]
    return schema


TYPES = [
    ("Guid", "string", {"format": "uuid"}, ["00000000-0000-0000-0000-000000000000"]),
    ("String", "string", {}, ["", "größe", "2026-01-31"]),
    ("Duration", "string", {}, ["P1DT2H3M4.5S", "-PT0S"]),
    ("Boolean", "boolean", {}, [True, False]),
    ("Byte", "integer", {}, [0, 255]),
    ("SByte", "integer", {}, [-128, 127]),
    ("Int16", "integer", {}, [-32768]),
    ("Int32", "integer", {}, [-2147483648]),
    ("Int64", "integer", {}, [-9223372036854775808, 9223372036854775807]),
    ("Decimal", "number", {}, [0, 1.5, -79228162514264337593543950335]),
    ("Double", "number", {}, [0, 1.5, 1.7976931348623157e308]),
    ("Single", "number", {}, [-0.5]),
    (
        "DateTimeOffset",
        "string",
        {"format": "date-time"},
        ["2026-01-31T08:00:00Z", "0001-01-01T00:00:00Z", "2026-01-31T08:00:00.1234567Z"],
    ),
    ("Date", "string", {"format": "date"}, ["2026-01-31", "0001-01-01"]),
    ("TimeOfDay", "string", {"format": "time"}, ["08:00:00", "23:59:59.999"]),
    ("Binary", "string", {"contentEncoding": "base64"}, ["", "AAEC/w=="]),
    ("GeographyPoint", "string", {}, ["POINT(0 0)"]),
]
NAMES = [name for name, *_ in TYPES]


@pytest.mark.parametrize(("name", "kind", "more", "values"), TYPES, ids=NAMES)
def test_schema_of_each_type_fits_its_values(
    name: str, kind: str, more: dict[str, str], values: list[object]
) -> None:
    schema = described(Primitive(f"Edm.{name}"))
    assert schema == {"type": [kind, "null"], **more}
    validator = Draft202012Validator(schema, format_checker=FormatChecker(["uuid", "date"]))
    for value in (*values, None):
        validator.validate(value)


@pytest.mark.parametrize(("name", "kind", "more", "values"), TYPES, ids=NAMES)
def test_key_is_not_nullable(
    name: str, kind: str, more: dict[str, str], values: list[object]
) -> None:
    columns = (Column("id", Primitive(f"Edm.{name}")), Column("other", Primitive("Edm.Guid")))
    schema = json_schema(Table("x", "xs", ("id",), columns))
    assert schema["properties"]["id"] == {"type": [kind], **more}
    Draft202012Validator(schema).validate({"id": values[0], "other": None})
    assert not Draft202012Validator(schema).is_valid({"id": None})


def test_key_of_several_columns_is_not_nullable() -> None:
    properties = json_schema(table("number", "name", key=("accountid", "number")))["properties"]
    assert "null" not in properties["accountid"]["type"]
    assert "null" not in properties["number"]["type"]
    assert "null" in properties["name"]["type"]


def test_complex_type_is_an_object_of_its_properties() -> None:
    inner = Complex((Column("x", Primitive("Edm.Double")),))
    schema = described(Complex((Column("city", Primitive("Edm.String")), Column("at", inner))))
    assert schema == {
        "type": ["object", "null"],
        "properties": {
            "city": {"type": ["string", "null"]},
            "at": {
                "type": ["object", "null"],
                "properties": {"x": {"type": ["number", "null"]}},
            },
        },
    }
    for value in (None, {}, {"city": "Ulm", "at": None}, {"at": {"x": 1.5}}):
        Draft202012Validator(schema).validate(value)


def test_type_that_contains_itself_is_any_object() -> None:
    assert described(Complex(())) == {"type": ["object", "null"]}


def test_collection_is_an_array() -> None:
    schema = described(Collection(Complex((Column("n", Primitive("Edm.Int32")),))))
    assert schema["type"] == ["array", "null"]
    for value in (None, [], [{"n": 1}, {"n": None}, {}]):
        Draft202012Validator(schema).validate(value)
    assert not Draft202012Validator(schema).is_valid([{"n": "one"}])


def test_stream_columns_are_left_out_at_all_levels() -> None:
    stream = Column("image", Primitive("Edm.Stream"))
    within = Column("c", Complex((stream, Column("d", Primitive("Edm.Guid")))))
    properties = json_schema(table(stream, within))["properties"]
    assert list(properties) == ["accountid", "c"]
    assert list(properties["c"]["properties"]) == ["d"]


def test_descriptions_are_those_of_the_service() -> None:
    column = Column("name", Primitive("Edm.String"), "Name der Firma.")
    schema = json_schema(table(column, description="Eine Firma."))
    assert schema["description"] == "Eine Firma."
    assert schema["properties"]["name"]["description"] == "Name der Firma."
    assert "description" not in schema["properties"]["accountid"]


def told(kind: str, description: str | None = None, **more: Any) -> dict[str, Any]:
    """Tell how a column is described of which Dataverse says more."""
    definition = ColumnDefinition(name="c", kind=kind, **more)
    made = table(Column(definition.property_name, Primitive("Edm.String"), description))
    schema = json_schema(made, TableDefinition(name="account", columns=(definition,)))
    found: dict[str, Any] = schema["properties"][definition.property_name]
    return found


FACTS: list[tuple[str, dict[str, Any], str]] = [
    ("StringType", {"max_length": 160}, "Maximum length: 160."),
    ("MemoType", {"max_length": 2000}, "Maximum length: 2000."),
    ("MoneyType", {"precision": 4}, "Decimal places: 4."),
    ("DecimalType", {"precision": 0}, "Decimal places: 0."),
    ("DateTimeType", {"behavior": "DateOnly"}, "A date without a time."),
    (
        "DateTimeType",
        {"behavior": "TimeZoneIndependent"},
        "The same in all time zones: the Z at its end does not make it UTC.",
    ),
]


@pytest.mark.parametrize(("kind", "more", "words"), FACTS)
def test_properties_without_a_json_schema_keyword_are_in_the_description(
    kind: str, more: dict[str, Any], words: str
) -> None:
    assert told(kind, **more) == {"type": ["string", "null"], "description": words}
    assert told(kind, "Its name", **more)["description"] == f"Its name. {words}"
    assert told(kind, "Its name.", **more)["description"] == f"Its name. {words}"


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("DateTimeType", {"behavior": "UserLocal"}),
        ("StringType", {}),
        ("LookupType", {"max_length": 100, "precision": 2}),
    ],
)
def test_column_without_properties_has_no_description(kind: str, more: dict[str, Any]) -> None:
    assert told(kind, **more) == {"type": ["string", "null"]}


def test_titles_are_the_display_names() -> None:
    english_user = Texts({1033: "Account", 1031: "Firma"}, 1033)
    assert told("LookupType", display_name=english_user)["title"] == "Account"
    # In another language than the user's, it is not theirs.
    assert "title" not in told("LookupType", display_name=Texts({1031: "Firma"}))
    definition = TableDefinition(
        name="account", display_name=english_user, description=Texts({1033: "A company."}, 1033)
    )
    schema = json_schema(table(), definition)
    assert (schema["title"], schema["description"]) == ("Account", "A company.")
    assert json_schema(table(description="Mine."), definition)["description"] == "Mine."


def test_definition_of_a_column_that_rows_do_not_have_is_left_out() -> None:
    shadow = ColumnDefinition(name="c", kind="StringType", attribute_of="x", max_length=100)
    gone = ColumnDefinition(name="gone", kind="StringType", max_length=100)
    definition = TableDefinition(name="account", columns=(shadow, gone))
    assert json_schema(table("c"), definition) == json_schema(table("c"))


def test_description_belongs_to_one_column_only() -> None:
    schema = json_schema(table(Column("a", Primitive("Edm.Guid"), "A"), "b"))
    assert json_schema(table("a"))["properties"]["a"] == schema["properties"]["b"]
    assert "description" not in described(Primitive("Edm.Guid"))


@pytest.mark.parametrize("name", ["select", "type", "class", "properties", "größe", "$ref", "a b"])
def test_names_with_unusual_characters_are_columns(name: str) -> None:
    entry = entry_of(table(name))
    assert entry.schema.to_dict()["properties"][name] == {"type": ["string", "null"]}
    assert ("properties", name) in entry.metadata


def dates(*names: str) -> list[Column]:
    """Make columns that a table can be replicated by."""
    return [Column(name, Primitive("Edm.DateTimeOffset")) for name in names]


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (["createdon", "versionnumber", "modifiedon"], "modifiedon"),
        (["createdon", "versionnumber"], "versionnumber"),
        (["createdon"], "createdon"),
        (["modifiedon"], "modifiedon"),
    ],
)
def test_replication_key_is_the_first_candidate_of_the_table(
    present: list[str], chosen: str
) -> None:
    entry = entry_of(table(*dates(*present), "name"))
    assert entry.replication_key == chosen
    assert entry.replication_method == "INCREMENTAL"
    assert set(entry.metadata.root.valid_replication_keys or ()) == set(present)
    automatic = [
        crumb[-1] for crumb, item in entry.metadata.items() if crumb and item.inclusion == AUTOMATIC
    ]
    assert automatic == ["accountid", chosen]
    assert entry.metadata["properties", "name"].inclusion == AVAILABLE


def test_table_without_a_replication_key_is_full_table() -> None:
    entry = entry_of(table("name"))
    assert (entry.replication_key, entry.replication_method) == (None, "FULL_TABLE")
    assert not entry.metadata.root.valid_replication_keys


def test_replication_key_in_the_key_stays_automatic() -> None:
    entry = entry_of(table(*dates("modifiedon", "createdon"), key=("accountid", "createdon")))
    assert entry.metadata["properties", "createdon"].inclusion == AUTOMATIC


@pytest.mark.parametrize("key", [("accountid",), ("accountid", "name"), ()])
def test_entry_names_stream_set_and_key(key: tuple[str, ...]) -> None:
    entry = entry_of(table("name", key=key))
    assert (entry.tap_stream_id, entry.stream, entry.table) == ("account", "account", "accounts")
    assert tuple(entry.key_properties or ()) == key
    assert tuple(entry.metadata.root.table_key_properties or ()) == key


def test_private_table_is_not_selected_by_default() -> None:
    private, public = entry_of(table(private=True)), entry_of(table())
    assert private.metadata.resolve_selection()[()] is False
    assert public.metadata.resolve_selection()[()] is True
    assert private.metadata.root.selected_by_default is False


ENTRIES = [
    table(),
    table("name", key=()),
    table(*dates("modifiedon", "createdon"), "größe", description="Eine Firma."),
    table(*dates("createdon"), "type", private=True),
    table(
        Column("c", Complex((Column("d", Collection(Complex(()))),)), "A thing"),
        *dates("versionnumber"),
    ),
]


@pytest.mark.parametrize("made", ENTRIES)
def test_entry_that_is_written_and_read_stays_the_same(made: Table) -> None:
    text = json.dumps(Catalog({"account": entry_of(made)}).to_dict())
    assert json.dumps(Catalog.from_dict(json.loads(text)).to_dict()) == text
    assert json.dumps(read_catalog(json.loads(text)).to_dict()) == text


def chosen(**metadata: str) -> CatalogEntry:
    """Read an entry into which a person wrote a choice."""
    made = entry_of(table(*dates("modifiedon", "createdon")))
    document = Catalog({"account": made}).to_dict()
    for item in document["streams"][0]["metadata"]:
        if not item["breadcrumb"]:
            item["metadata"].update({k.replace("_", "-"): v for k, v in metadata.items()})
    return read_catalog(document)["account"]


def test_replication_chosen_by_the_user_wins() -> None:
    assert chosen(replication_method="FULL_TABLE").replication_method == "FULL_TABLE"
    assert chosen(replication_key="createdon").replication_key == "createdon"
    assert chosen().replication_key == "modifiedon"


@pytest.mark.parametrize(
    ("key", "tracked", "method"),
    [
        (("id",), True, "LOG_BASED"),
        (("id",), False, "INCREMENTAL"),
        (("id", "part"), True, "INCREMENTAL"),
        ((), True, "INCREMENTAL"),
    ],
)
def test_tracked_tables_with_a_key_of_one_column_can_be_log_based(
    key: tuple[str, ...], *, tracked: bool, method: str
) -> None:
    columns = tuple(
        Column(name, Primitive(kind))
        for name, kind in (
            ("id", "Edm.Guid"),
            ("part", "Edm.String"),
            ("modifiedon", "Edm.DateTimeOffset"),
        )
    )
    table = Table("table", "tables", key, columns, tracked=tracked)
    entry = entry_of(table, "LOG_BASED")
    assert entry.replication_method == method
    assert ("_sdc_deleted_at" in (entry.schema.properties or {})) == (method == "LOG_BASED")
    assert entry_of(table).replication_method == "INCREMENTAL"
