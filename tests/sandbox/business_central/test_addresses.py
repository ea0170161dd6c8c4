"""Addresses: environments, API routes, companies, sign-in, the on-premises server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests

from sandbox.business_central import addresses
from sandbox.business_central.companies import CLOSED, COPY, EMPTY, MAIN, OWN
from sandbox.business_central.csdl import parse
from tests.sandbox.api import TIMEOUT, Api

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox

KEYS = (addresses.USER, addresses.ACCESS_KEY)
CUSTOM = "api/sandbox/loyalty/v1.0"


def ids(answer: dict[str, Any]) -> list[str]:
    """The ids of the rows of a page."""
    return [row["id"] for row in answer["value"]]


def on_premises(sandbox: CentralSandbox, path: str, **changes: Any) -> requests.Response:
    """The answer of the on-premises server."""
    url = f"{sandbox.url}/BC/{path}"
    return requests.get(url, timeout=TIMEOUT, **{"auth": KEYS, **changes})


def test_service_root_is_announced_with_tenant_environment_and_route(api: Api) -> None:
    assert api.sandbox.service_url.endswith(addresses.PATH)
    sets = {each["name"] for each in api.read("")["value"]}
    assert {"companies", "customers", "salesInvoiceLines", "trialBalances"} <= sets


def test_tenant_can_be_a_domain_or_left_out_and_environments_are_case_insensitive(
    api: Api,
) -> None:
    url = api.sandbox.url
    for place in ("Production", "sandbox.onmicrosoft.com/production", "SANDBOX"):
        assert api.get(f"{url}/v2.0/{place}/api/v2.0/companies").status_code == 200


@pytest.mark.parametrize(
    ("place", "status", "code"),
    [
        ("v2.0/Nowhere/api/v2.0", 404, "NoEnvironment"),
        ("v2.0/Production/api/other/group/v1.0", 404, "BadRequest_ResourceNotFound"),
        ("v2.0/11111111-2222-3333-4444-555555555555/Production/api/v2.0", 401, "Authentication"),
        ("v1.0/Production/api/v2.0", 401, "Authentication_InvalidCredentials"),
        ("data", 404, "BadRequest_ResourceNotFound"),
    ],
)
def test_unknown_places_are_refused(api: Api, place: str, status: int, code: str) -> None:
    found, name, _ = api.refusal(f"{api.sandbox.url}/{place}/companies")
    assert found == status
    assert name.startswith(code)


def test_environments_are_listed(api: Api) -> None:
    response = api.get(f"{api.sandbox.url}/environments/v1.2")
    assert response.headers["api-supported-versions"] == "1.0, 1.1, 1.2"
    found = {each["name"]: each["type"] for each in response.json()["value"]}
    assert found == {"Production": "Production", "Sandbox": "Sandbox"}


def test_company_is_named_in_the_path_or_the_query_by_id_or_name(api: Api) -> None:
    by_path = ids(api.read(f"companies({OWN.id})/customers"))
    assert by_path
    assert ids(api.read(f"customers?company={OWN.id}")) == by_path
    assert ids(api.read(f"customers?company={quote(OWN.name)}")) == by_path


def test_request_without_a_company_reads_the_default_company(api: Api) -> None:
    assert ids(api.read("customers")) == ids(api.read(f"companies({MAIN.id})/customers"))
    api.sandbox.configure(default_company=OWN.name)
    assert ids(api.read("customers")) == ids(api.read(f"companies({OWN.id})/customers"))


def test_copy_of_a_company_has_the_same_ids_and_dates(api: Api) -> None:
    main, copy = (api.read(f"companies({c.id})/customers")["value"] for c in (MAIN, COPY))
    stamps = [[(row["id"], row["lastModifiedDateTime"]) for row in rows] for rows in (main, copy)]
    assert stamps[0][: len(copy)] == stamps[1] or set(stamps[1]) <= set(stamps[0])
    assert len(copy) > 20


def test_empty_company_has_company_information_alone(api: Api) -> None:
    assert ids(api.read(f"companies({EMPTY.id})/customers")) == []
    assert len(ids(api.read(f"companies({EMPTY.id})/companyInformation"))) == 1


@pytest.mark.parametrize("status", [400, 403, 500])
def test_closed_company_refuses_every_set(api: Api, status: int) -> None:
    assert CLOSED.id in ids(api.read("companies"))
    api.sandbox.configure(permission_status=status)
    found, code, message = api.refusal(f"companies({CLOSED.id})/customers")
    assert (found, code) == (status, "Internal_ServerError")
    assert "the current permissions prevented the action" in message
    api.sandbox.configure(closed_companies=[])
    assert api.get(f"companies({CLOSED.id})/customers").status_code == 200


@pytest.mark.parametrize("place", ["companies(11111111-2222-3333-4444-555555555555)/", ""])
def test_unknown_company_is_not_found(api: Api, place: str) -> None:
    query = "" if place else "?company=Nobody"
    status, code, _ = api.refusal(f"{place}customers{query}")
    assert (status, code) == (404, "Internal_CompanyNotFound")
    api.sandbox.configure(default_company="")
    assert api.refusal("customers")[:2] == (404, "Internal_CompanyNotFound")
    assert api.get("companies").status_code == 200


def test_odata_names_companies_with_awkward_names(api: Api) -> None:
    root = api.sandbox.api_url("ODataV4")
    names = [row["Name"] for row in api.read(f"{root}Company")["value"]]
    assert {MAIN.name, COPY.name, OWN.name, EMPTY.name, CLOSED.name} == set(names)
    for name in {*names} - {CLOSED.name}:
        escaped = quote(name.replace("'", "''"), safe="")
        found = api.read(f"{root}Company('{escaped}')/Sales_Order")
        assert bool(found["value"]) == (name != EMPTY.name)
        assert found["@odata.context"].count("$metadata#Company('") == 1
        other = api.read(f"{root}Sales_Order?company={quote(name, safe='')}")
        assert other["value"] == found["value"]


def test_every_route_has_its_document_and_is_listed(api: Api) -> None:
    routes = {row["route"] for row in api.read("apicategoryroutes")["value"]}
    assert routes == {"v2.0", "sandbox/loyalty/v1.0"}
    for route, name in (
        ("api/v2.0", "customers"),
        (CUSTOM, "loyaltyCards"),
        ("ODataV4", "Company"),
    ):
        root = api.sandbox.api_url(route)
        response = api.get(f"{root}$metadata")
        assert response.headers["Content-Type"] == "application/xml"
        assert name in parse(response.content, route).sets
        assert name in {each["name"] for each in api.read(root)["value"]}
    (row,) = api.read(f"{root.replace('ODataV4', CUSTOM)}loyaltyCards?$top=1")["value"]
    assert {"systemModifiedAt", "systemRowVersion"} <= row.keys()


def test_unknown_segments_are_not_found(api: Api) -> None:
    for path in ("nothing", f"companies({MAIN.id})/nothing", "customers/nothing"):
        status, code, message = api.refusal(path)
        assert (status, code) == (404, "BadRequest_ResourceNotFound")
        assert "Resource not found for the segment 'nothing'." in message


def test_token_for_another_service_or_none_is_refused(api: Api) -> None:
    foreign = api.token(scope="https://sandbox.crm.dynamics.com/.default").json()
    for authorization in (f"Bearer {foreign['access_token']}", "Bearer nonsense", ""):
        response = api.get("customers", Authorization=authorization)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "Authentication_InvalidCredentials"


def test_token_for_the_cloud_address_is_accepted(api: Api) -> None:
    scope = "https://api.businesscentral.dynamics.com/.default"
    token = api.token(scope=scope).json()["access_token"]
    assert api.get("companies", Authorization=f"Bearer {token}").status_code == 200


def test_app_that_the_environment_does_not_know_is_refused_with_every_token(api: Api) -> None:
    api.sandbox.configure(app_not_registered=True)
    assert api.get("companies").status_code == 401
    api.sign_in()
    assert api.get("companies").status_code == 401


def test_on_premises_takes_user_and_access_key(central: CentralSandbox) -> None:
    assert on_premises(central, "api/v2.0/companies").status_code == 200
    response = on_premises(central, "api/v2.0/companies", auth=("SANDBOX", "wrong"))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="Business Central"'
    assert response.json()["error"]["code"] == "Unauthorized"


def test_on_premises_knows_its_tenant_and_keeps_it_in_links(central: CentralSandbox) -> None:
    central.configure(on_premises_page_size_cap=2)
    link = on_premises(central, "api/v2.0/customers?tenant=default").json()["@odata.nextLink"]
    assert "tenant=default&$skiptoken=" in link
    assert "aid=" not in link
    assert on_premises(central, "api/v2.0/customers?tenant=other").status_code == 404


def test_on_premises_odata_can_be_switched_off(central: CentralSandbox) -> None:
    assert on_premises(central, "ODataV4/Customer_Card").status_code == 200
    missing = on_premises(central, "ODataV4/Nothing")
    assert (missing.status_code, missing.content) == (404, b"")
    central.configure(odata_off=True)
    assert on_premises(central, "ODataV4/Customer_Card").status_code == 405
    assert on_premises(central, "api/v2.0/companies").status_code == 200
