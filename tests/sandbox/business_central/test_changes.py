"""Changes: rows, calculated columns, companies that come and go, late commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from sandbox.business_central.companies import COPY, EMPTY, MAIN, OWN
from sandbox.business_central.csdl import parse
from sandbox.client import SandboxError
from tests.sandbox.api import Api

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox

Row = dict[str, Any]


def customer(api: Api, key: str, company: str = MAIN.id) -> Row:
    """A customer."""
    return api.read(f"companies({company})/customers({key})")


def first(api: Api, company: str = MAIN.id) -> str:
    """The id of the first customer of a company."""
    return str(api.read(f"companies({company})/customers?$top=1")["value"][0]["id"])


def quoted(name: str) -> str:
    """A name as it is written within the quotes of an address."""
    return name.replace("'", "''")


def test_inserted_row_has_blanks_and_the_time_of_now(changing: CentralSandbox) -> None:
    api = Api(changing)
    changing.configure(clock="2026-02-03T04:05:06.123456Z")
    order = {"$company": EMPTY.name, "displayName": "Litware", "creditLimit": 12}
    (key,) = changing.insert("customers", [order])
    assert key["$company"] == EMPTY.name
    found = customer(api, key["id"], EMPTY.id)
    assert (found["displayName"], found["creditLimit"], found["blocked"]) == (
        "Litware",
        12,
        "_x0020_",
    )
    assert found["lastModifiedDateTime"] == "2026-02-03T04:05:06.123Z"
    assert api.get(f"customers({key['id']})").status_code == 404


def test_update_changes_time_and_etag_in_one_company_alone(changing: CentralSandbox) -> None:
    api = Api(changing)
    key = first(api, COPY.id)
    before, other = customer(api, key), customer(api, key, COPY.id)
    changing.update("customers", [MAIN.name, key], {"city": "Elsewhere"})
    after = customer(api, key)
    assert after["city"] == "Elsewhere"
    assert after["@odata.etag"] != before["@odata.etag"]
    assert after["lastModifiedDateTime"] > before["lastModifiedDateTime"]
    assert customer(api, key, COPY.id) == other


def test_calculated_column_changes_without_time_and_etag(changing: CentralSandbox) -> None:
    api = Api(changing)
    key = first(api)
    before = customer(api, key)
    changing.calculate("customers", [MAIN.id, key], {"balanceDue": 77})
    after = customer(api, key)
    assert after == {**before, "balanceDue": 77}
    assert before["balanceDue"] != 77


def test_deleted_row_is_gone_from_its_company(changing: CentralSandbox) -> None:
    api = Api(changing)
    key = first(api, COPY.id)
    changing.delete("customers", [MAIN.name, key])
    assert api.get(f"customers({key})").status_code == 404
    assert customer(api, key, COPY.id)["id"] == key


def test_keys_and_columns_are_checked(changing: CentralSandbox) -> None:
    for key in (["Nobody", "x"], [MAIN.id], "x"):
        with pytest.raises(SandboxError):
            changing.delete("customers", key)
    with pytest.raises(SandboxError):
        changing.insert("customers", [{"nope": 1}])


def test_late_commit_shows_a_row_with_an_older_time(changing: CentralSandbox) -> None:
    api = Api(changing)
    key = first(api)
    changing.configure(clock="2026-02-03T04:00:00Z")
    late = changing.begin("customers", update={(MAIN.id, key): {"city": "Late"}})
    changing.configure(clock="2026-02-03T05:00:00Z")
    changing.insert("customers", [{"number": "NEW"}])
    path = "customers?$filter=lastModifiedDateTime gt 2026-02-03T00:00:00Z"
    assert [row["number"] for row in api.read(path)["value"]] == ["NEW"]
    late.commit()
    assert customer(api, key)["lastModifiedDateTime"] == "2026-02-03T04:00:00Z"


def test_row_version_grows_with_every_write(changing: CentralSandbox) -> None:
    api = Api(changing)
    root = changing.api_url("api/sandbox/loyalty/v1.0")
    before = api.read(f"{root}loyaltyCards?$orderby=systemRowVersion")["value"]
    changing.update("loyaltyCards", [MAIN.id, before[0]["systemId"]], {"Points": 5})
    highest = before[-1]["systemRowVersion"]
    (row,) = api.read(f"{root}loyaltyCards?$filter=systemRowVersion gt {highest}")["value"]
    assert row["systemId"] == before[0]["systemId"]
    assert row["systemModifiedAt"] > before[0]["systemModifiedAt"]


def test_copied_company_brings_old_dates_and_the_same_ids(changing: CentralSandbox) -> None:
    api = Api(changing)
    added = changing.add_company("Copy of CRONUS", copy_of=MAIN.name)
    found, main = (
        api.read(f"companies({key})/customers")["value"] for key in (added["id"], MAIN.id)
    )
    assert found == main
    names = {row["name"] for row in api.read("companies")["value"]}
    root = changing.api_url("ODataV4")
    assert names == {row["Name"] for row in api.read(f"{root}Company")["value"]}
    assert "Copy of CRONUS" in names


def test_company_can_be_renamed_and_removed(changing: CentralSandbox) -> None:
    api = Api(changing)
    rows = api.read(f"companies({MAIN.id})/customers")["value"]
    changing.rename_company(MAIN.name, "New & Shiny/Ltd.")
    assert api.read(f"companies({MAIN.id})/customers")["value"] == rows
    assert api.read("customers")["value"] == rows
    assert api.get(f"customers?company={MAIN.name}").status_code == 404
    names = {row["id"]: row["name"] for row in api.read("companies")["value"]}
    assert names[MAIN.id] == "New & Shiny/Ltd."
    changing.remove_company("New & Shiny/Ltd.")
    assert api.get(f"companies({MAIN.id})/customers").status_code == 404
    assert MAIN.id not in {row["id"] for row in api.read("companies")["value"]}
    assert MAIN.id not in {row["$company"] for row in changing.rows("customers")}


def test_company_that_is_removed_between_two_pages_is_not_found(changing: CentralSandbox) -> None:
    api = Api(changing)
    of_id = f"companies({COPY.id})/customers"
    of_name = f"{changing.api_url('ODataV4')}Customer_Card?company={quote(COPY.name)}"
    links = [
        api.read(path, Prefer="odata.maxpagesize=3")["@odata.nextLink"] for path in (of_id, of_name)
    ]
    changing.fault(r"skiptoken", change=["DELETE", f"companies/{quote(COPY.name, safe='')}"])
    for link in links:
        assert api.refusal(link)[:2] == (404, "Internal_CompanyNotFound")
    assert api.get(f"companies({MAIN.id})/customers").status_code == 200
    changing.remove_company(MAIN.id)
    assert api.refusal("customers")[:2] == (404, "Internal_CompanyNotFound")


def test_company_that_is_renamed_between_two_pages_is_found_by_its_id(
    changing: CentralSandbox,
) -> None:
    api = Api(changing)
    size = "odata.maxpagesize=3"
    of_id = api.read(f"companies({OWN.id})/customers", Prefer=size)["@odata.nextLink"]
    rest = api.read(of_id)["value"]
    root = changing.api_url("ODataV4")
    of_name = api.read(f"{root}Company('{quote(quoted(OWN.name))}')/Customer_Card", Prefer=size)
    order = ["PATCH", f"companies/{OWN.id}", {"name": "Söhne & Töchter"}]
    changing.fault("skiptoken", change=order)
    assert api.read(of_id)["value"] == rest
    assert api.refusal(of_name["@odata.nextLink"])[:2] == (404, "Internal_CompanyNotFound")


def test_company_that_is_added_between_two_pages_is_listed(changing: CentralSandbox) -> None:
    api = Api(changing)
    first = api.read("companies", Prefer="odata.maxpagesize=1")
    added = {"id": "ffffffff-5a4d-ef11-a1b2-ffffffffffff", "name": "New", "copy_of": MAIN.name}
    changing.fault("skiptoken", change=["POST", "companies", added])
    rest = api.read(first["@odata.nextLink"])["value"]
    assert rest[-1]["name"] == "New"
    found = api.read(f"companies({added['id']})/customers")["value"]
    assert found == api.read(f"companies({MAIN.id})/customers")["value"]


def test_tables_tell_of_apis_keys_and_columns(changing: CentralSandbox) -> None:
    found = {each["name"]: each for each in changing.tables()}
    assert found["loyaltyCards"]["api"] == "api/sandbox/loyalty/v1.0"
    assert found["Sales_Order"]["key"] == ["Document_Type", "No"]
    assert (found["companies"]["has_company"], found["items"]["has_company"]) == (False, True)
    assert found["items"]["rows"] == len(changing.rows("items"))
    assert found["items"]["columns"]["inventory"] == "Edm.Decimal"


def test_removed_set_and_column_are_gone_from_document_and_rows(changing: CentralSandbox) -> None:
    api = Api(changing)
    changing.drop_table("vendors")
    changing.drop_column("customers", "city")
    assert api.refusal("vendors")[:2] == (404, "BadRequest_ResourceNotFound")
    assert api.refusal("customers?$select=city")[0] == 400
    assert "city" not in api.read("customers?$top=1")["value"][0]
    sets = parse(api.get("$metadata").content, "api/v2.0").sets
    assert "vendors" not in sets
    assert "vendors" not in sets["companies"].navigations
    assert not {"city"} & sets["customers"].table.by_property.keys()
    assert "city" in sets["companyInformation"].table.by_property
    with pytest.raises(SandboxError):
        changing.drop_column("customers", "id")
