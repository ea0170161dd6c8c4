"""Privileges of the caller: their names and depths, and the rows that they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.sandbox.api import Api

TRACK = "odata.track-changes"


def privileges(api: Api, user: str = "") -> dict[str, Any]:
    """The privileges of a user by name; of the caller without one."""
    user = user or api.read("WhoAmI")["UserId"]
    path = f"systemusers({user})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges"
    assert api.read(path) == api.read(f"{path}()")
    return {each["PrivilegeName"]: each for each in api.read(path)["RolePrivileges"]}


def test_privileges_of_the_user_are_those_that_tables_have(api: Api) -> None:
    api.sandbox.configure(read_depths={"prvReadLead": "Basic"}, forbidden_tables=["contact"])
    found = privileges(api)
    assert "prvReadContact" not in found
    assert found["prvReadLead"]["Depth"] == "Basic"
    assert found["prvReadAccount"]["Depth"] == "Global"
    path = "EntityDefinitions?$select=LogicalName,Privileges"
    read = {
        table["LogicalName"]: privilege
        for table in api.read(path)["value"]
        for privilege in table["Privileges"]
        if privilege["PrivilegeType"] == "Read"
    }
    assert read["lead"]["PrivilegeId"] == found["prvReadLead"]["PrivilegeId"]
    assert read["systemuser"]["Name"] == "prvReadUser"
    assert read["email"] == read["task"]
    assert read["email"]["Name"] == "prvReadActivity"
    assert "accountleads" not in read
    assert (read["lead"]["CanBeBasic"], read["territory"]["CanBeBasic"]) == (True, False)


def test_privileges_need_privileges_and_a_user(api: Api) -> None:
    user = api.read("WhoAmI")["UserId"]
    path = "systemusers({})/Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
    assert api.refusal(path.format(user.replace(user[0], "f")))[:2] == (404, "0x80040217")
    api.sandbox.configure(forbidden_tables=["systemuser"])
    status, code, message = api.refusal(path.format(user))
    assert (status, code) == (403, "0x80040220")
    assert "is missing prvReadUser privilege" in message


@pytest.mark.parametrize("depth", ["Basic", "Local", "Deep"])
def test_rows_are_those_that_the_depth_reaches(api: Api, depth: str) -> None:
    who = api.read("WhoAmI")
    every = api.sandbox.rows("contact")
    below = {who["BusinessUnitId"]}
    for _ in api.sandbox.rows("businessunit"):
        below |= {
            unit["businessunitid"]
            for unit in api.sandbox.rows("businessunit")
            if unit["_parentbusinessunitid_value"] in below
        }
    units = {"Basic": set(), "Local": {who["BusinessUnitId"]}, "Deep": below}[depth]
    expected = {
        row["contactid"]
        for row in every
        if row["_owningbusinessunit_value"] in units
        or (depth == "Basic" and row["_ownerid_value"] == who["UserId"])
    }
    assert 0 < len(expected) < len(every)
    whole = api.read("contacts?$select=contactid")
    api.sandbox.configure(read_depths={"prvReadContact": depth})
    found = api.read("contacts?$select=contactid&$count=true")
    assert {row["contactid"] for row in found["value"]} == expected
    assert found["@odata.count"] == len(expected)
    sorted_rows = api.read("contacts?$select=contactid&$orderby=modifiedon,contactid")["value"]
    assert {row["contactid"] for row in sorted_rows} == expected
    counts = api.read('RetrieveTotalRecordCount(EntityNames=@p)?@p=["contact"]')
    assert counts["EntityRecordCountCollection"]["Values"] == [len(every)]
    assert api.refusal("contacts", Prefer=TRACK)[:2] == (403, "0x80040220")
    api.sandbox.configure(read_depths={})
    assert api.read("contacts?$select=contactid")["value"] == whole["value"]


def test_activities_have_one_privilege(api: Api) -> None:
    api.sandbox.configure(read_depths={"prvReadActivity": "Basic"})
    user = api.read("WhoAmI")["UserId"]
    for name in ("emails", "tasks", "activitypointers"):
        rows = api.read(f"{name}?$select=_ownerid_value")["value"]
        assert {row["_ownerid_value"] for row in rows} <= {user}
