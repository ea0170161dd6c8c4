"""Metadata: `$metadata`, the service document, `EntityDefinitions`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from typing import Any

    from tests.sandbox.api import Api

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
BOM = b"\xef\xbb\xbf"
SCHEMA = "Microsoft.Dynamics.CRM"
METADATA_SETS = {
    "EntityDefinitions",
    "GlobalOptionSetDefinitions",
    "ManagedPropertyDefinitions",
    "RelationshipDefinitions",
}


def _document(api: Api, query: str = "") -> ET.Element:
    response = api.get(f"$metadata{query}")
    assert response.content.startswith(BOM)
    assert response.headers["Content-Type"].startswith("application/xml")
    return ET.fromstring(response.content)  # noqa: S314  - the sandbox's own


def test_document_describes_every_column_of_rows(api: Api) -> None:
    root = _document(api)
    types = {each.get("Name", ""): each for each in root.iter(f"{EDM}EntityType")}

    def properties(name: str) -> set[str]:
        found = {str(p.get("Name")) for p in types[name].findall(f"{EDM}Property")}
        base = types[name].get("BaseType", "").removeprefix("mscrm.")
        return found | (properties(base) if base in types else set())

    sets = {each.get("Name"): each.get("EntityType", "") for each in root.iter(f"{EDM}EntitySet")}
    assert set(sets) == {t["set_name"] for t in api.sandbox.tables()} | METADATA_SETS
    for table in api.sandbox.tables():
        assert sets[table["set_name"]] == f"{SCHEMA}.{table['name']}"
        assert properties(table["name"]) == set(table["columns"])


def test_document_has_the_peculiarities_of_the_service(api: Api) -> None:
    root = _document(api)
    types = {each.get("Name"): each for each in root.iter(f"{EDM}EntityType")}
    keys = {n: [k.get("Name") for k in t.iter(f"{EDM}PropertyRef")] for n, t in types.items()}
    assert types["account"].get("BaseType") == "mscrm.crmbaseentity"
    assert types["crmbaseentity"].get("Abstract") == "true"
    assert types["email"].get("BaseType") == "mscrm.activitypointer"
    assert types["activitypointer"].get("Abstract") == "true"
    # The key is declared again, the inherited properties are not.
    assert keys["email"] == ["activityid"]
    assert types["email"].find(f"{EDM}Property[@Name='activityid']") is None
    assert keys["systemuser"] == ["ownerid"]
    assert types["systemuser"].find(f"{EDM}Property[@Name='systemuserid']") is not None
    navigation = types["account"].find(f"{EDM}NavigationProperty[@Name='primarycontactid']")
    assert navigation is not None
    constraint = navigation.find(f"{EDM}ReferentialConstraint")
    assert constraint is not None
    assert constraint.get("Property") == "_primarycontactid_value"
    bindings = root.findall(f".//{EDM}EntitySet[@Name='accounts']/{EDM}NavigationPropertyBinding")
    assert ("primarycontactid", "contacts") in {(b.get("Path"), b.get("Target")) for b in bindings}
    assert root.find(f".//{EDM}Annotation") is None


def test_document_with_annotations_describes_columns(api: Api) -> None:
    root = _document(api, "?annotations=true")
    term = "Org.OData.Capabilities.V1.ChangeTracking"
    tracked = {
        each.get("Name")
        for each in root.iter(f"{EDM}EntitySet")
        if each.find(f"{EDM}Annotation[@Term='{term}']//{EDM}PropertyValue[@Bool='true']")
        is not None
    }
    assert tracked == {t["set_name"] for t in api.sandbox.tables() if t["change_tracking"]}
    stamp = root.find(f".//{EDM}EntityType[@Name='account']/{EDM}Property[@Name='modifiedon']")
    assert stamp is not None
    terms = {each.get("Term", "").rpartition(".")[2] for each in stamp}
    assert terms == {"Description", "Computed", "Permissions"}


def test_service_document_lists_entity_sets(api: Api) -> None:
    answer = api.read("")
    assert {each["name"] for each in answer["value"]} >= METADATA_SETS | {"accounts"}


def test_definitions_with_a_filter_return_matches(api: Api) -> None:
    tables = {table["name"]: table for table in api.sandbox.tables()}
    path = "EntityDefinitions?$select=LogicalName,EntitySetName&$filter="
    tracked = api.read(f"{path}ChangeTrackingEnabled eq true")["value"]
    assert {row["LogicalName"] for row in tracked} == {
        name for name, table in tables.items() if table["change_tracking"]
    }
    assert set(tracked[0]) == {"MetadataId", "LogicalName", "EntitySetName"}
    for text, names in (
        ("LogicalName eq 'account'", {"account"}),
        ("EntitySetName eq 'opportunities'", {"opportunity"}),
        ("IsIntersect eq true and IsCustomEntity eq true", {"new_project_account"}),
        ("CanChangeTrackingBeEnabled/Value eq false", {"new_externalorder"}),
        ("IsPrivate eq true", {"principalobjectaccess"}),
        (
            f"OwnershipType eq {SCHEMA}.OwnershipTypes'BusinessOwned'",
            {"systemuser", "team", "businessunit"},
        ),
        (
            "ObjectTypeCode ge 10005 and TableType ne 'Standard'",
            {"new_externalorder", "new_sensordata"},
        ),
    ):
        assert {row["LogicalName"] for row in api.read(path + text)["value"]} == names
    assert api.refusal("EntityDefinitions?$filter=Name eq 'x'")[0] == 400


def test_definition_is_found_by_either_key(api: Api) -> None:
    by_name = api.read("EntityDefinitions(LogicalName='systemuser')")
    by_id = api.read(f"EntityDefinitions({by_name['MetadataId']})")
    assert by_name == by_id
    assert by_name["PrimaryIdAttribute"] == "systemuserid"
    labels = {
        each["LanguageCode"]: each["Label"] for each in by_name["DisplayName"]["LocalizedLabels"]
    }
    assert labels == {1033: "User", 1031: "Benutzer"}
    status, code, _ = api.refusal("EntityDefinitions(LogicalName='nothing')")
    assert (status, code) == (400, "0x80041102")


def test_attributes_can_be_expanded(api: Api) -> None:
    inner = "$select=LogicalName,AttributeType,AttributeOf"
    path = (
        f"EntityDefinitions(LogicalName='account')?$select=LogicalName&$expand=Attributes({inner})"
    )
    attributes = {row["LogicalName"]: row for row in api.read(path)["Attributes"]}
    columns = api.sandbox.rows("account")[0]
    real = {name for name, row in attributes.items() if row["AttributeOf"] is None}
    assert {name.removeprefix("_").removesuffix("_value") for name in columns} == real
    assert attributes["primarycontactidname"]["AttributeOf"] == "primarycontactid"
    assert attributes["revenue"]["AttributeType"] == "Money"
    every = api.read(
        "EntityDefinitions?$select=LogicalName&$expand=Attributes($select=LogicalName)"
    )
    assert all(row["Attributes"] for row in every["value"])


@pytest.mark.parametrize(
    ("table", "cast", "column", "expected"),
    [
        ("account", "Money", "revenue", {"Precision": 4, "CalculationOf": None}),
        ("account", "String", "name", {"MaxLength": 160}),
        ("account", "Lookup", "ownerid", {"Targets": ["systemuser", "team"]}),
        ("contact", "DateTime", "birthdate", {"DateTimeBehavior": {"Value": "DateOnly"}}),
        ("new_measurement", "Decimal", "new_factor", {"Precision": 10}),
        (
            "appointment",
            "DateTime",
            "originalstartdate",
            {"DateTimeBehavior": {"Value": "TimeZoneIndependent"}},
        ),
    ],
)
def test_attributes_can_be_cast_to_one_type(
    api: Api, table: str, cast: str, column: str, expected: dict[str, Any]
) -> None:
    path = f"EntityDefinitions(LogicalName='{table}')/Attributes/{SCHEMA}.{cast}AttributeMetadata"
    rows = {row["LogicalName"]: row for row in api.read(path)["value"]}
    assert expected.items() <= rows[column].items()
    assert all("OptionSet" not in row for row in rows.values())


def test_choices_have_labels(api: Api) -> None:
    kind = f"{SCHEMA}.PicklistAttributeMetadata"
    path = f"EntityDefinitions(LogicalName='new_project')/Attributes/{kind}"
    row = api.read(f"{path}?$select=LogicalName&$expand=OptionSet,GlobalOptionSet")["value"][0]
    assert row["LogicalName"] == "new_region"
    labels = [
        {each["LanguageCode"]: each["Label"] for each in option["Label"]["LocalizedLabels"]}
        for option in row["GlobalOptionSet"]["Options"]
    ]
    assert {1033: "Overseas", 1031: "Übersee"} in labels
    path = f"EntityDefinitions(LogicalName='account')/Attributes/{SCHEMA}.BooleanAttributeMetadata"
    rows = api.read(f"{path}?$select=LogicalName&$expand=OptionSet")["value"]
    yes = {row["LogicalName"]: row["OptionSet"]["TrueOption"]["Label"] for row in rows}
    assert yes["donotemail"]["UserLocalizedLabel"]["Label"] == "Do Not Allow"


def test_global_choices_are_listed(api: Api) -> None:
    names = [row["Name"] for row in api.read("GlobalOptionSetDefinitions")["value"]]
    assert names == ["new_topics", "new_region"]
    assert len(api.read("GlobalOptionSetDefinitions(Name='new_topics')")["Options"]) == 5
