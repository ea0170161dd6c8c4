"""Service of Finance & Operations: addresses, sign-in, documents, refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from sandbox.client import PROJECT
from tests.sandbox.api import TIMEOUT, Api

if TYPE_CHECKING:
    from sandbox.finance_client import FinanceSandbox


def test_command_line_starts_the_service_and_says_how_to_read_it() -> None:
    command = [sys.executable, "-m", "sandbox", "--service", "finance-operations", "--rows", "10"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as process:  # noqa: S603  - this interpreter
        assert process.stdout
        lines = [*iter(process.stdout.readline, "Press Ctrl-C to stop it.\n")]
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert any("_SERVICE_URL=http://127.0.0.1:" in line and "/data/" in line for line in lines)
    assert any("cross_company" in line for line in lines)


@pytest.mark.parametrize("root", ["data", "data/", "Data", "Data/"])
def test_root_in_each_spelling_is_the_service_document(api: Api, root: str) -> None:
    found = api.read(f"{api.sandbox.url}/{root}")
    assert found["@odata.context"] == f"{api.sandbox.service_url}$metadata"
    names = {entry["name"] for entry in found["value"]}
    assert {"CustomersV3", "AllProducts", "Companies"} <= names
    assert found["value"][0] == {"name": "Companies", "kind": "EntitySet", "url": "Companies"}
    assert names == {table["set_name"] for table in api.sandbox.tables()}


def test_metadata_document_is_xml(api: Api) -> None:
    response = api.get("$metadata", Accept="application/xml")
    assert response.headers["Content-Type"] == "application/xml"
    assert b'EntitySet Name="AllProducts"' in response.content
    assert response.content.endswith(b"</edmx:Edmx>")


def test_metadata_document_is_slow_at_the_first_call_only(api: Api) -> None:
    api.sandbox.configure(metadata_delay_ms=300)
    assert api.get("$metadata").elapsed.total_seconds() > 0.3
    assert api.sandbox.switches()["metadata_delay_ms"] == 0


@pytest.mark.parametrize("path", ["api/data/v9.2/CustomersV3", "api/data/v9.2/", "datas", "x/data"])
def test_path_outside_of_the_service_is_not_found(api: Api, path: str) -> None:
    response = api.get(f"{api.sandbox.url}/{path}")
    assert response.status_code == 404
    words = f"No HTTP resource was found that matches the request URI '{response.url}'."
    assert response.json() == {"Message": words}


def test_responses_have_the_headers_of_the_service_and_none_of_dataverse(api: Api) -> None:
    headers = api.get("CustomersV3?$top=1").headers
    assert headers["OData-Version"] == "4.0"
    assert headers["Content-Type"].startswith("application/json; odata.metadata=minimal")
    assert {"ms-dyn-aid", "server-timing"} <= {name.lower() for name in headers}
    named = " ".join(headers).lower()
    assert "x-ms-" not in named
    assert "req_id" not in named
    prefer = 'odata.include-annotations="*"'
    assert "FormattedValue" not in api.get("CustomersV3?$top=1", Prefer=prefer).text


def test_responses_are_compressed_for_callers_that_accept_it(api: Api) -> None:
    assert api.get("CustomersV3").headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in api.get("CustomersV3", Accept_Encoding="identity").headers


def test_token_for_another_audience_is_refused_without_a_challenge(api: Api) -> None:
    url = api.sandbox.url
    for scope, status in ((f"{url}/.default", 200), (f"{url}//.default", 401)):
        token = api.token(scope=scope).json()["access_token"]
        response = api.get("CustomersV3?$top=1", Authorization=f"Bearer {token}")
        assert response.status_code == status
    assert response.content == b""
    assert "WWW-Authenticate" not in response.headers


def test_token_for_another_service_or_none_is_refused(api: Api) -> None:
    foreign = api.token(scope="https://sandbox.operations.dynamics.com/.default").json()
    for authorization in (f"Bearer {foreign['access_token']}", "Bearer nonsense", ""):
        response = api.get("CustomersV3", Authorization=authorization)
        assert (response.status_code, response.content) == (401, b"")


def test_token_of_version_1_with_a_slash_in_its_resource_is_refused(api: Api) -> None:
    settings = api.sandbox.settings
    form = {
        "grant_type": "client_credentials",
        "client_id": settings["client_id"],
        "client_secret": settings["client_secret"],
    }
    token_uri = settings["token_uri"].replace("/v2.0", "")
    for resource, status in ((api.sandbox.url, 200), (f"{api.sandbox.url}/", 401)):
        answer = requests.post(token_uri, data={**form, "resource": resource}, timeout=TIMEOUT)
        token = answer.json()["access_token"]
        response = api.get("CustomersV3?$top=1", Authorization=f"Bearer {token}")
        assert response.status_code == status


def test_expired_token_is_refused(api: Api) -> None:
    assert api.get("CustomersV3?$top=1").status_code == 200
    api.sandbox.expire_tokens()
    assert api.get("CustomersV3?$top=1").status_code == 401


def test_app_that_is_not_listed_is_forbidden(api: Api) -> None:
    api.sandbox.configure(app_not_listed=True)
    response = api.get("CustomersV3")
    found = response.json()
    assert response.status_code == 403
    assert (found["Message"], found["ExceptionMessage"]) == ("An error has occurred.", "Forbidden")
    assert "ThrowSessionCreationException" in found["StackTrace"]


def test_redirect_leads_to_the_sign_in_page(api: Api) -> None:
    api.sandbox.configure(sign_in_redirect=True)
    response = api.get("CustomersV3")
    assert [each.status_code for each in response.history] == [302]
    assert response.headers["Content-Type"].startswith("text/html")


def test_unknown_and_removed_sets_are_not_found(changing: FinanceSandbox) -> None:
    api = Api(changing)
    assert api.get("Nothing").status_code == 404
    assert api.get("customersv3").status_code == 404
    assert api.get("AllProducts").status_code == 200
    changing.drop_table("AllProducts")
    response = api.get("AllProducts")
    assert response.status_code == 404
    assert response.json()["Message"].startswith("No HTTP resource was found")
    assert b'EntitySet Name="AllProducts"' not in api.get("$metadata").content
    assert b'EntitySet Name="CustomersV3"' in api.get("$metadata").content


def test_set_without_a_right_is_forbidden(api: Api) -> None:
    api.sandbox.configure(forbidden_tables=["VendorsV2"])
    response = api.get("VendorsV2")
    assert response.status_code == 403
    assert "VendorsV2" in response.json()["error"]["innererror"]["message"]
    assert api.get("CustomersV3").status_code == 200


def test_throttled_requests_are_told_to_wait_longer_and_longer(api: Api) -> None:
    api.sandbox.configure(throttled_requests=6)
    responses = [api.get("CustomersV3?$top=1") for _ in range(7)]
    assert [each.status_code for each in responses] == [429] * 6 + [200]
    waits = [each.headers.get("Retry-After") for each in responses]
    assert waits == ["5", "10", "20", "40", "60", "60", None]
    assert "high resource utilization" in responses[0].json()["Message"]
    api.sandbox.configure(throttled_requests=1)
    assert api.get("CustomersV3?$top=1").headers["Retry-After"] == "5"


def test_throttling_without_a_header(api: Api) -> None:
    api.sandbox.configure(throttled_requests=1, throttle_header=False)
    response = api.get("CustomersV3")
    assert response.status_code == 429
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize("status", [404, 414])
def test_url_above_the_limit_is_refused_with_a_web_page(api: Api, status: int) -> None:
    api.sandbox.configure(longest_url=300, long_url_status=status)
    assert api.get("CustomersV3?$select=CustomerAccount").status_code == 200
    response = api.get(f"CustomersV3?$filter=CustomerAccount eq '{'x' * 300}'")
    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/html"


@pytest.mark.parametrize("status", [502, 503, 504])
def test_fault_of_a_gateway_is_a_web_page(api: Api, status: int) -> None:
    api.sandbox.fault("CustomersV3", status=status, error_form="html", message="Bad Gateway")
    response = api.get("CustomersV3")
    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/html"
    assert "<h1>Bad Gateway</h1>" in response.text


@pytest.mark.parametrize(
    ("form", "path"),
    [
        ("finance", "error.innererror.internalexception.internalexception.message"),
        ("finance_query", "error.innererror.message"),
        ("web_api", "Message"),
        ("web_api_exception", "ExceptionMessage"),
    ],
)
def test_fault_in_a_form_of_the_service_has_the_message(api: Api, form: str, path: str) -> None:
    api.sandbox.fault("CustomersV3", status=500, error_form=form, message="Deadlock, as ordered.")
    found = json.loads(api.get("CustomersV3").content)
    for name in path.split("."):
        found = found[name]
    assert found == "Deadlock, as ordered."


def test_writes_are_refused(api: Api) -> None:
    url = f"{api.sandbox.service_url}CustomersV3"
    response = api.session.post(url, json={}, timeout=TIMEOUT)
    assert response.status_code == 405


def test_log_has_paths_queries_and_headers(api: Api) -> None:
    api.get("CustomersV3?cross-company=true&$top=1", Prefer="odata.maxpagesize=7")
    (entry,) = api.sandbox.requests()[-1:]
    assert entry["path"] == "/data/CustomersV3"
    assert entry["query"] == {"cross-company": "true", "$top": "1"}
    assert entry["headers"]["prefer"] == "odata.maxpagesize=7"
