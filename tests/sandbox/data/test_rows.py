"""Rows: columns, values, annotations, single rows."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox import client
from sandbox.client import running

if TYPE_CHECKING:
    import pytest

    from sandbox.client import Sandbox
    from tests.sandbox.api import Api

FORMATTED = "OData.Community.Display.V1.FormattedValue"


def test_row_without_select_has_all_columns(api: Api) -> None:
    tables = {table["name"]: table for table in api.sandbox.tables()}
    for row in api.rows("accounts"):
        assert set(row) - {"@odata.etag"} == set(tables["account"]["columns"])


def test_columns_with_a_value_come_before_nulls(api: Api) -> None:
    nulls = [value is None for value in api.read("accounts?$top=1")["value"][0].values()]
    assert any(nulls)
    assert nulls == sorted(nulls)


def test_select_adds_the_key_and_the_currency(api: Api) -> None:
    row = api.read("accounts?$select=name,revenue&$top=1")["value"][0]
    asked = {"name", "revenue", "accountid", "_transactioncurrencyid_value", "@odata.etag"}
    assert set(row) == asked
    user = api.read("systemusers?$select=fullname&$top=1")["value"][0]
    assert set(user) == {"fullname", "ownerid", "systemuserid", "@odata.etag"}
    assert user["ownerid"] == user["systemuserid"]


def test_context_lists_the_selected_columns(api: Api) -> None:
    root = api.sandbox.service_url
    chosen = api.read("accounts?$select=name,accountid&$top=1")["@odata.context"]
    assert chosen == f"{root}$metadata#accounts(name,accountid)"
    assert api.read("accounts?$top=1")["@odata.context"] == f"{root}$metadata#accounts"


def test_etag_is_the_version_of_the_row(api: Api) -> None:
    for row in api.rows("contacts?$select=versionnumber"):
        assert row["@odata.etag"] == f'W/"{row["versionnumber"]}"'


def test_values_have_the_format_of_the_service(api: Api) -> None:
    text = api.get("accounts?$select=revenue,modifiedon,creditonhold").text
    assert re.search(r'"revenue":\d+\.\d{4}[,}]', text)
    assert not re.search(r'"revenue":\d+\.\d{0,3}[,}]', text)
    assert re.search(r'"modifiedon":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"', text)
    assert re.search(r'"creditonhold":(true|false)', text)
    projects = api.get("new_projects?$select=new_startdate,new_topics").text
    assert re.search(r'"new_startdate":"\d{4}-\d\d-\d\d"', projects)
    assert re.search(r'"new_topics":"\d(,\d)*"', projects)


def test_extreme_numbers_keep_their_digits(api: Api) -> None:
    row = {
        "new_factor": Decimal("12345678901.1234000000"),
        "new_tiny": Decimal("0.0000000000"),
        "new_serial": 2**53 + 1,
        "new_cost": 5,
        "new_value": Decimal("-0.00001"),
    }
    key = api.sandbox.insert("new_measurement", [row])[0]["new_measurementid"]
    text = api.get(f"new_measurements({key})").text
    for digits in (
        '"new_factor":12345678901.1234000000,',
        '"new_tiny":0.0000000000,',
        '"new_serial":9007199254740993,',
        '"new_cost":5.0000,',
        '"new_value":-0.00001,',
    ):
        assert digits in text
    api.sandbox.delete("new_measurement", key)


def test_invented_rows_have_edge_cases(api: Api) -> None:
    rows = api.sandbox.rows("new_measurement")
    assert any(row["new_serial"] and abs(row["new_serial"]) > 2**53 for row in rows)
    assert all(
        row["new_factor"] is None or row["new_factor"].as_tuple().exponent == -10 for row in rows
    )
    stamps = [row["modifiedon"] for row in api.sandbox.rows("account")]
    assert len(set(stamps)) < len(stamps)
    assert any(len(row["description"] or "") > 10_000 for row in api.sandbox.rows("email"))


def test_lookups_point_at_existing_rows(api: Api) -> None:
    contacts = {row["contactid"] for row in api.sandbox.rows("contact")}
    accounts = {row["accountid"] for row in api.sandbox.rows("account")}
    for row in api.sandbox.rows("account"):
        assert row["_primarycontactid_value"] in contacts | {None}
        assert row["_parentaccountid_value"] in accounts | {None}
    for row in api.sandbox.rows("opportunity"):
        assert row["_customerid_value"] in contacts | accounts


def test_annotations_precede_their_value(api: Api) -> None:
    prefer = 'odata.include-annotations="*"'
    answer = api.get("accounts?$top=50", Prefer=prefer)
    parsed = answer.json()
    assert parsed["@Microsoft.Dynamics.CRM.totalrecordcount"] == -1
    assert parsed["@Microsoft.Dynamics.CRM.globalmetadataversion"].isdecimal()
    for row in parsed["value"]:
        names = list(row)
        for place, name in enumerate(names):
            base, at, _ = name.partition("@")
            if base and at:
                following = [n for n in names[place:] if "@" not in n]
                assert following[0] == base
        owner = row["_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"]
        assert owner in {"systemuser", "team"}
        assert (
            row["_ownerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"] == "ownerid"
        )
        assert row[f"_ownerid_value@{FORMATTED}"]
        assert row[f"statecode@{FORMATTED}"] in {"Active", "Inactive"}
        assert re.match(r"\d+/\d+/\d{4} \d+:\d\d [AP]M$", row[f"modifiedon@{FORMATTED}"])


def test_only_requested_annotations_are_returned(api: Api) -> None:
    prefer = 'odata.include-annotations="Microsoft.Dynamics.CRM.*"'
    answer = api.read("accounts?$top=5", Prefer=prefer)
    assert "@Microsoft.Dynamics.CRM.totalrecordcount" in answer
    text = str(answer)
    assert "lookuplogicalname" in text
    assert FORMATTED not in text


def test_labels_are_in_the_language_of_the_user(api: Api) -> None:
    prefer = f'odata.include-annotations="{FORMATTED}"'

    def labels() -> set[str]:
        rows = api.read("accounts?$select=statecode", Prefer=prefer)["value"]
        return {row[f"statecode@{FORMATTED}"] for row in rows}

    assert labels() == {"Active", "Inactive"}
    api.sandbox.configure(user_language=1031)
    assert labels() == {"Aktiv", "Inaktiv"}


def test_name_of_a_related_row_is_its_current_one(api: Api) -> None:
    prefer = f'odata.include-annotations="{FORMATTED}"'
    path = "teams?$select=_businessunitid_value&$orderby=modifiedon,teamid"
    place = f"_businessunitid_value@{FORMATTED}"
    before = api.read(path, Prefer=prefer)["value"][0]
    key = before["_businessunitid_value"]
    api.sandbox.update("businessunit", key, {"name": "Renamed"})
    assert api.read(path, Prefer=prefer)["value"][0][place] == "Renamed"
    api.sandbox.update("businessunit", key, {"name": before[place]})


def test_value_without_an_option_has_no_label(api: Api) -> None:
    row = {"statecode": 0, "statuscode": 4_242}
    key = api.sandbox.insert("account", [row])[0]["accountid"]
    prefer = f'odata.include-annotations="{FORMATTED}"'
    found = api.read(f"accounts({key})?$select=statecode,statuscode", Prefer=prefer)
    api.sandbox.delete("account", key)
    assert found["statuscode"] == 4_242
    assert f"statuscode@{FORMATTED}" not in found
    assert found[f"statecode@{FORMATTED}"] == "Active"


def test_multi_select_value_has_all_labels(api: Api) -> None:
    key = api.sandbox.insert("new_project", [{"new_topics": "2,3,8"}])[0]["new_projectid"]
    prefer = 'odata.include-annotations="*"'
    row = api.read(f"new_projects({key})?$select=new_topics", Prefer=prefer)
    assert row[f"new_topics@{FORMATTED}"] == "Hiking; Swimming; Cycling"
    api.sandbox.delete("new_project", key)


def test_single_row_is_found_by_its_key(api: Api) -> None:
    key = api.sandbox.rows("contact")[3]["contactid"]
    row = api.read(f"contacts({key})?$select=fullname")
    assert row["contactid"] == key
    assert row["@odata.context"].endswith("$metadata#contacts(fullname)/$entity")


def test_activities_have_their_type(api: Api) -> None:
    rows = api.rows("activitypointers?$select=subject,activitytypecode")
    kinds = {"email", "task", "phonecall", "appointment"}
    assert {row["activitytypecode"] for row in rows} == kinds
    for row in rows:
        assert row["@odata.type"] == f"#Microsoft.Dynamics.CRM.{row['activitytypecode']}"
    assert len(rows) == sum(len(api.sandbox.rows(kind)) for kind in kinds)


def test_awkward_names_are_supported(api: Api) -> None:
    row = api.read("new_größen?$select=größe,select,type,class&$top=1&$orderby=größe desc")[
        "value"
    ][0]
    assert set(row) == {"@odata.etag", "größe", "select", "type", "class", "new_größeid"}


def test_same_seed_gives_the_same_rows(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandboxes of the tests copy a database; `python -m sandbox` invents its rows."""
    with running(rows=300, seed=3) as before:
        before.insert("account", [{"name": "of this sandbox alone"}])
    with running(rows=300, seed=3) as one:
        monkeypatch.setattr(client, "launch", client.start)
        with running(rows=300, seed=3) as two:
            assert [t["rows"] for t in one.tables()] == [t["rows"] for t in two.tables()]
            for table in one.tables():
                assert one.rows(table["name"]) == two.rows(table["name"])
            for each in (one, two):
                each.insert("team", [{"name": "the next version"}])
            versions = [
                sorted(row["versionnumber"] for row in each.rows("team")) for each in (one, two)
            ]
            assert versions[0] == versions[1]
        assert one.rows("account") != sandbox.rows("account")[: len(one.rows("account"))]


def test_update_changes_modifiedon_and_version(api: Api) -> None:
    sandbox = api.sandbox
    key = sandbox.insert("account", [{"name": "Before"}])[0]["accountid"]
    before = api.read(f"accounts({key})")
    sandbox.update("account", key, {"name": "After", "modifiedon": "2031-02-03T04:05:06Z"})
    after = api.read(f"accounts({key})")
    assert after["name"] == "After"
    assert after["modifiedon"] == "2031-02-03T04:05:06Z"
    assert after["versionnumber"] > before["versionnumber"]
    assert after["createdon"] == before["createdon"]
    sandbox.delete("account", key)
    assert api.refusal(f"accounts({key})") == (
        404,
        "0x80040217",
        f"Account With Id = {key} Does Not Exist",
    )
