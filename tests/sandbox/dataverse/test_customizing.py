"""Customization: changes of the data model while it is served."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.client import Sandbox, SandboxError
from tests.sandbox.api import Api

TRACK = "odata.track-changes"
VERSION = "Microsoft.Dynamics.CRM.globalmetadataversion"


@pytest.fixture
def api(own: Sandbox) -> Api:
    """A client of a sandbox whose model may be changed."""
    for row in own.rows("account"):
        own.delete("account", row["accountid"])
    own.insert("account", [{"name": "Litware"}])
    return Api(own)


def _attributes(api: Api, table: str) -> dict[str, Any]:
    path = f"EntityDefinitions(LogicalName='{table}')/Attributes?$select=LogicalName,AttributeType"
    return {row["LogicalName"]: row["AttributeType"] for row in api.read(path)["value"]}


def _version(api: Api) -> int:
    answer = api.read("accounts", Prefer=f'odata.include-annotations="{VERSION}"')
    return int(answer[f"@{VERSION}"])


def test_column_can_be_added_retyped_and_removed(api: Api) -> None:
    versions = [_version(api)]
    api.sandbox.add_column("account", "new_size", "Edm.Int32")
    (row,) = api.rows("accounts?$select=new_size")
    assert row["new_size"] is None
    assert _attributes(api, "account")["new_size"] == "Integer"
    assert '<Property Name="new_size" Type="Edm.Int32"' in api.get("$metadata").text
    versions.append(_version(api))

    api.sandbox.update("account", row["accountid"], {"new_size": 7})
    (row,) = api.rows("accounts")
    api.sandbox.retype_column("account", "new_size", "Edm.String")
    (again,) = api.rows("accounts")
    assert again == {**row, "new_size": "7"}
    assert _attributes(api, "account")["new_size"] == "String"
    api.sandbox.retype_column("account", "new_size", "Edm.Decimal")
    assert api.rows("accounts?$filter=new_size gt 6")[0]["new_size"] == 7
    versions.append(_version(api))

    api.sandbox.drop_column("account", "new_size")
    words = "Could not find a property named 'new_size' on type 'Microsoft.Dynamics.CRM.account'."
    assert api.refusal("accounts?$select=name,new_size") == (400, "0x80060888", words)
    assert "new_size" not in api.rows("accounts")[0]
    assert "new_size" not in _attributes(api, "account")
    assert "new_size" not in api.get("$metadata").text
    versions.append(_version(api))
    assert versions == sorted(set(versions))


def test_customization_expires_delta_tokens_of_the_table(api: Api) -> None:
    links = {
        name: api.read(name, Prefer=TRACK)["@odata.deltaLink"] for name in ("accounts", "leads")
    }
    api.sandbox.add_column("account", "new_reason")
    assert api.refusal(links["accounts"])[:2] == (400, "0x80044352")
    assert api.read(links["leads"])["value"] == []
    fresh = api.read("accounts", Prefer=TRACK)["@odata.deltaLink"]
    assert api.read(fresh)["value"] == []
    open_transaction = api.sandbox.begin("account", insert=[{}])
    with pytest.raises(SandboxError, match="transaction is open"):
        api.sandbox.drop_column("account", "new_reason")
    open_transaction.roll_back()
    api.sandbox.drop_column("account", "new_reason")


def test_change_tracking_can_be_switched(api: Api) -> None:
    link = api.read("accounts", Prefer=TRACK)["@odata.deltaLink"]
    enabled = "EntityDefinitions(LogicalName='account')?$select=ChangeTrackingEnabled"
    api.sandbox.track_changes("account", on=False)
    for path, prefer in (("accounts", TRACK), (link, "")):
        assert api.refusal(path, Prefer=prefer)[:2] == (400, "0x80072491")
    assert api.read(enabled)["ChangeTrackingEnabled"] is False
    api.sandbox.track_changes("account", on=True)
    assert api.read(enabled)["ChangeTrackingEnabled"] is True
    assert api.refusal(link)[1] == "0x80044352"


def test_choice_with_a_new_option_has_its_label(api: Api) -> None:
    rows = "accounts?$select=industrycode&$orderby=accountid"
    (account,) = api.rows("accounts")
    api.sandbox.update("account", account["accountid"], {"industrycode": 99})
    annotation = "industrycode@OData.Community.Display.V1.FormattedValue"
    prefer = 'odata.include-annotations="*"'
    assert annotation not in api.read(rows, Prefer=prefer)["value"][0]
    api.sandbox.add_option("account", "industrycode", 99, "Space", "Weltraum")
    assert api.read(rows, Prefer=prefer)["value"][0][annotation] == "Space"


def test_table_can_be_removed(api: Api) -> None:
    assert api.get("new_projects").status_code == 200
    api.sandbox.drop_table("new_project")
    words = "Resource not found for the segment 'new_projects'."
    assert api.refusal("new_projects") == (404, "0x8006088a", words)
    assert "new_project" not in {table["name"] for table in api.sandbox.tables()}
    assert '"new_project"' not in api.get("$metadata").text
    assert api.refusal("EntityDefinitions(LogicalName='new_project')")[1] == "0x80041102"


@pytest.mark.parametrize("column", ["accountid", "name", "_ownerid_value", "nothing"])
def test_column_that_identifies_rows_cannot_be_changed(api: Api, column: str) -> None:
    with pytest.raises(SandboxError):
        api.sandbox.drop_column("account", column)
