"""`RetrieveMetadataChanges`: all metadata, parts of it, and changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from sandbox.client import Sandbox

from tests.sandbox.api import Api

Json = dict[str, Any]
EXPIRED = (400, "0x80044352")
DELETED = "Microsoft.Dynamics.CRM.DeletedMetadataFilters"


def call(query: Json | str | None = None, stamp: str = "", deleted: str = "") -> str:
    """Return a call of the function."""
    text = query if isinstance(query, str) else json.dumps(query)
    given = {"Query": text} if query is not None else {}
    if stamp:
        given["ClientVersionStamp"] = f"'{stamp}'"
    if deleted:
        given["DeletedMetadataFilters"] = f"{DELETED}'{deleted}'"
    arguments = ",".join(f"{name}=@{name}" for name in given)
    options = "&".join(f"@{name}={quote(value)}" for name, value in given.items())
    return f"RetrieveMetadataChanges({arguments})" + (f"?{options}" if options else "")


def condition(name: str, operator: str | int, value: str, kind: str = "System.String") -> Json:
    """Return a condition on a property."""
    told = {"Type": kind, "Value": value}
    return {"PropertyName": name, "ConditionOperator": operator, "Value": told}


def query(*columns: str, criteria: Json | None = None, **more: Any) -> Json:
    """Return a query for the names of tables, and for some properties of their columns."""
    names = ["LogicalName", *(["Attributes"] if columns else [])]
    found: Json = {"Properties": {"AllProperties": False, "PropertyNames": names}}
    if columns:
        found["AttributeQuery"] = {"Properties": {"PropertyNames": [*columns]}}
    if criteria:
        found["Criteria"] = criteria
    return {**found, **more}


def tables(answer: Json) -> dict[str, Json]:
    """Return the tables of a response by name."""
    return {table["LogicalName"]: table for table in answer["EntityMetadata"]}


def columns(table: Json) -> dict[str, Json]:
    """The columns of a table by their names."""
    return {column["LogicalName"]: column for column in table["Attributes"]}


ACCOUNT = {"Conditions": [condition("LogicalName", "Equals", "account")]}


def test_first_call_returns_the_same_as_the_type_casts(api: Api) -> None:
    everything = {"AllProperties": True}
    asked = {"Properties": everything, "AttributeQuery": {"Properties": everything}}
    told = tables(api.read(call({**asked, "Criteria": ACCOUNT})))["account"]
    definition = api.read("EntityDefinitions(LogicalName='account')")
    for name, value in definition.items():
        if not name.startswith("@"):
            assert told[name] == value
    casts = "Picklist", "State", "Status", "Boolean", "String", "Money", "DateTime", "Lookup"
    for cast in casts:
        path = (
            f"EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM."
            f"{cast}AttributeMetadata?$expand=OptionSet"
        )
        found = api.read(path)["value"]
        assert found
        for column in found:
            same = columns(told)[column.pop("LogicalName")]
            kind = column.pop("@odata.type").rpartition(".")[2]
            assert same["@odata.type"] == f"#Microsoft.Dynamics.CRM.Complex{kind}"
            assert all(same[name] == value for name, value in column.items())
    assert "@odata.type" not in columns(told)["statuscodename"]


def test_call_with_properties_returns_only_these(api: Api) -> None:
    asked = query("LogicalName", "MaxLength", criteria=ACCOUNT)
    (table,) = api.read(call(asked))["EntityMetadata"]
    assert set(table) == {"MetadataId", "HasChanged", "LogicalName", "Attributes"}
    name = columns(table)["name"]
    assert set(name) == {"@odata.type", "MetadataId", "HasChanged", "LogicalName", "MaxLength"}
    assert "MaxLength" not in columns(table)["accountid"]
    assert "Attributes" not in api.read(call(query()))["EntityMetadata"][0]
    assert len(api.read(call(query()))["EntityMetadata"]) > 20


CRITERIA: dict[str, tuple[Json, set[str]]] = {
    "or": (
        {
            "FilterOperator": "Or",
            "Conditions": [condition("LogicalName", 0, name) for name in ("account", "team")],
        },
        {"account", "team"},
    ),
    "in": (
        {"Conditions": [condition("LogicalName", "In", "['account','nosuch']", "System.String[]")]},
        {"account"},
    ),
    "nested": (
        {
            "FilterOperator": "And",
            "Conditions": [condition("IsIntersect", "Equals", "true", "System.Boolean")],
            "Filters": [
                {
                    "Conditions": [
                        condition("IsCustomEntity", "NotEquals", "False", "System.Boolean")
                    ]
                }
            ],
        },
        {"new_project_account"},
    ),
    "managed": (
        {
            "FilterOperator": 0,
            "Conditions": [
                condition("CanChangeTrackingBeEnabled", "Equals", "false", "System.Boolean")
            ],
        },
        {"new_externalorder"},
    ),
    "number": (
        {
            "Conditions": [
                condition("ObjectTypeCode", "GreaterThan", "0", "System.Int32"),
                condition("ObjectTypeCode", "LessThan", "2", "System.Int32"),
            ]
        },
        {"account"},
    ),
    "kind": (
        {
            "Conditions": [
                condition(
                    "OwnershipType",
                    "Equals",
                    "BusinessOwned",
                    "Microsoft.Xrm.Sdk.Metadata.OwnershipTypes",
                )
            ]
        },
        {"systemuser", "team", "businessunit"},
    ),
}


@pytest.mark.parametrize("name", CRITERIA)
def test_criteria_select_tables(api: Api, name: str) -> None:
    criteria, names = CRITERIA[name]
    assert set(tables(api.read(call(query(criteria=criteria))))) == names


def test_criteria_select_columns(api: Api) -> None:
    kind = "Microsoft.Xrm.Sdk.Metadata.AttributeTypeDisplayName"
    chosen = {"Conditions": [condition("AttributeTypeName", "Equals", "StateType", kind)]}
    asked = query("LogicalName", criteria=ACCOUNT)
    asked["AttributeQuery"]["Criteria"] = chosen
    (table,) = api.read(call(asked))["EntityMetadata"]
    # The column with its label has no metadata type of its own.
    assert "statecode" in columns(table)
    assert set(columns(table)) <= {"statecode", "statecodename"}


def test_labels_are_in_both_or_in_the_requested_languages(api: Api) -> None:
    asked = query("LogicalName", "DisplayName", "OptionSet", criteria=ACCOUNT)
    (table,) = api.read(call(asked))["EntityMetadata"]
    name = columns(table)["name"]["DisplayName"]
    assert [label["LanguageCode"] for label in name["LocalizedLabels"]] == [1033, 1031]
    assert name["UserLocalizedLabel"]["Label"] == "Account Name"
    german = {**asked, "LabelQuery": {"FilterLanguages": [1031], "MissingLabelBehavior": 0}}
    (table,) = api.read(call(german))["EntityMetadata"]
    name = columns(table)["name"]["DisplayName"]
    assert [label["Label"] for label in name["LocalizedLabels"]] == ["Firmenname"]
    assert name["UserLocalizedLabel"] is None
    option = columns(table)["statecode"]["OptionSet"]["Options"][0]["Label"]
    assert [label["LanguageCode"] for label in option["LocalizedLabels"]] == [1031]


REFUSED = {
    "no json": call("{"),
    "unknown member": call({"Property": {}}),
    "unknown property": call(query(criteria={"Conditions": [condition("X", "Equals", "1")]})),
    "unknown type": call(
        query(criteria={"Conditions": [condition("LogicalName", "Equals", "a", "Edm.String")]})
    ),
    "no boolean": call(
        query(criteria={"Conditions": [condition("IsPrivate", "Equals", "1", "System.Boolean")]})
    ),
    "unknown operator": call(
        query(criteria={"Conditions": [condition("LogicalName", "Like", "a")]})
    ),
    "unknown logic": call(query(criteria={"FilterOperator": "Xor"})),
    "unknown parameter": "RetrieveMetadataChanges(Quest=@p)?@p={}",
    "no argument": "RetrieveMetadataChanges(Query=@p1)",
    "no stamp": call(query(), stamp="yesterday"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_call_that_is_invalid_is_refused(api: Api, name: str) -> None:
    assert api.refusal(REFUSED[name])[:2] == (400, "0x80060888")


def test_call_that_is_too_long_is_refused(api: Api) -> None:
    assert api.refusal(call(query(LabelQuery={"FilterLanguages": [1033] * 9_000})))[0] == 414


@pytest.mark.parametrize("status", [400, 404, 501])
def test_function_can_be_disabled(own: Sandbox, status: int) -> None:
    own.configure(no_metadata_changes=status)
    try:
        assert Api(own).refusal(call(query()))[0] == status
    finally:
        own.configure(no_metadata_changes=0)


def test_call_with_a_stamp_returns_only_changes(own: Sandbox) -> None:
    api = Api(own)
    asked = query("LogicalName", "DisplayName", "OptionSet")
    before = api.read(call(asked))
    nothing = {"Count": 0, "IsReadOnly": False, "Keys": [], "Values": []}
    assert before["DeletedMetadata"] == nothing
    stamp = before["ServerVersionStamp"]
    same = api.read(call(asked, stamp))
    assert (same["EntityMetadata"], same["DeletedMetadata"]) == ([], nothing)

    own.add_column("account", "new_size", "Edm.Int32")
    own.relabel_column("contact", "firstname", "First", "Vor")
    own.add_option("lead", "leadqualitycode", 4, "Icy", "Eisig")
    own.add_table("new_thing")
    own.drop_column("account", "telephone1")
    own.drop_table("new_project")
    after = api.read(call(asked, stamp, "All"))
    changed = tables(after)
    assert {name: set(columns(table)) for name, table in changed.items()} == {
        "account": {"new_size"},
        "contact": {"firstname"},
        "lead": {"leadqualitycode"},
        "new_thing": {"new_thingid", "name", "createdon", "modifiedon", "versionnumber"},
    }
    # An item of which only a part has changed has no values.
    assert [name for name, table in changed.items() if table["HasChanged"]] == ["new_thing"]
    label = columns(changed["contact"])["firstname"]["DisplayName"]["UserLocalizedLabel"]
    assert label["Label"] == "First"
    quality = columns(changed["lead"])["leadqualitycode"]
    assert (quality["HasChanged"], quality["DisplayName"]) == (False, None)
    options = quality["OptionSet"]["Options"]
    assert [option["Value"] for option in options] == [1, 2, 3, 4]
    assert [bool(option["Label"]) for option in options] == [False, False, False, True]

    ids = {table["LogicalName"]: table["MetadataId"] for table in before["EntityMetadata"]}
    phone = columns(tables(before)["account"])["telephone1"]["MetadataId"]
    deleted = after["DeletedMetadata"]
    assert deleted["Keys"] == ["Default", "Attribute"]
    assert deleted["Values"] == [{"Items": [ids["new_project"]]}, {"Items": [phone]}]
    only = api.read(call(asked, stamp, "Attribute"))["DeletedMetadata"]
    assert only["Keys"] == ["Attribute"]
    assert api.read(call(asked, stamp))["DeletedMetadata"]["Keys"] == ["Default"]
    assert api.read(call(asked, after["ServerVersionStamp"]))["EntityMetadata"] == []
    assert api.rows("new_things") == []


def test_stamp_expires_by_age_and_by_order(own: Sandbox) -> None:
    api = Api(own)
    stamp = api.read(call(query()))["ServerVersionStamp"]
    own.configure(clock_offset=91 * 86_400)
    try:
        assert api.refusal(call(query(), stamp))[:2] == EXPIRED
        fresh = api.read(call(query()))["ServerVersionStamp"]
        assert api.read(call(query(), fresh))["EntityMetadata"] == []
    finally:
        own.configure(clock_offset=0)
    assert api.read(call(query(), stamp))["EntityMetadata"] == []
    own.expire_version_stamps()
    assert api.refusal(call(query(), stamp))[:2] == EXPIRED
