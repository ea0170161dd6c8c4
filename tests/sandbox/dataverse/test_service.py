"""Web API: versions, URLs, headers, compression, functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sandbox.api import Api


def test_url_that_is_too_long_is_refused(api: Api) -> None:
    text = " or ".join(["statecode eq 0"] * 3000)
    assert api.get(f"accounts?$filter={text}").status_code == 414
    assert api.get(f"accounts?$top=1&x={'y' * 32_000}").status_code == 200


def test_error_has_details_on_request(api: Api) -> None:
    response = api.get("accounts?$select=x", Prefer='odata.include-annotations="*"')
    assert "@Microsoft.PowerApps.CDS.HelpLink" in response.json()["error"]


def test_response_has_the_headers_of_the_service(api: Api) -> None:
    response = api.get("accounts?$top=1")
    assert response.headers["Content-Type"] == "application/json; odata.metadata=minimal"
    assert response.headers["OData-Version"] == "4.0"
    assert response.headers["x-ms-dop-hint"] == "4"
    assert response.headers["x-ms-ratelimit-time-remaining-xrm-requests"] == "1,200.00"
    assert "x-ms-service-request-id" in response.headers
    assert "ARRAffinity" in response.cookies


def test_response_is_compressed_on_request(api: Api) -> None:
    plain = api.get("accounts", Accept_Encoding="identity")
    packed = api.get("accounts", Accept_Encoding="gzip")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.content == packed.content
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 2


def test_who_am_i_returns_the_user(api: Api) -> None:
    assert {"UserId", "BusinessUnitId", "OrganizationId"} < set(api.read("WhoAmI"))


def test_versions_9_0_to_9_2_are_served(api: Api) -> None:
    for version in ("v9.0", "v9.1", "v9.2"):
        url = f"{api.sandbox.url}/api/data/{version}/accounts?$top=1"
        assert f"/api/data/{version}/$metadata#accounts" in api.read(url)["@odata.context"]
    assert api.get(f"{api.sandbox.url}/api/data/v7.0/accounts").status_code == 404
