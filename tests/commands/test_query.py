"""`dynamics365 query`: rows as text, as JSON and by the command of curl; pages, and refusals."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands.program import dynamics365
from tests.sandbox.api import Api
from tests.servers.scripted import answer, serving

if TYPE_CHECKING:
    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox
    from sandbox.finance_client import FinanceSandbox

SECONDS = 60


def asked(service: Sandbox) -> list[tuple[str, str]]:
    """The requests to the service: the method, and the path without the folder."""
    return [
        (request["method"], request["path"].rpartition("/")[2])
        for request in service.requests()
        if "/oauth2/" not in request["path"]
    ]


def test_query_in_text_has_as_many_columns_as_fit(service: Sandbox) -> None:
    output = dynamics365("query", service.settings, "accounts?$top=3")
    assert (output.status, output.log) == (0, "")
    assert max(map(len, output.lines)) <= 100
    heading, *lines = output.lines
    assert len(lines) == 6
    first = Api(service).read("accounts?$top=3")["value"][0]
    filled = [name for name in first if not name.startswith("@")]
    assert heading.split()[0] in filled
    assert lines[4].endswith("Choose columns with $select, or add --json.")


def test_query_in_json_has_the_rows_as_the_service_sent_them(service: Sandbox) -> None:
    path = "accounts?$select=name,revenue&$filter=revenue ne null&$top=4"
    output = dynamics365("query", service.settings, path, "--json")
    assert (output.status, output.log) == (0, "")
    expected = Api(service).read(path)["value"]
    assert "@odata.etag" in expected[0]
    assert json.loads(output.printed, parse_float=Decimal) == expected
    assert [*json.loads(output.printed)[0]] == [*expected[0]]


def test_query_keeps_the_digits_of_numbers() -> None:
    row = b'{"@odata.etag":"x","n":1.10,"m":12345678901234567890.123456789,"e":1E+2,"b":true}'
    page = answer(b'\xef\xbb\xbf{"value":[' + row + b',{"n":null,"z":{"y":[1.0]}}]}')
    with serving(page) as server:
        settings = {"service_url": f"{server.url}/api/data/v9.2/", "access_token": "invented"}
        in_json = dynamics365("query", settings, "accounts", "--json").printed
        in_text = dynamics365("query", settings, "accounts").lines
    for text in ('"n": 1.10,', '"m": 12345678901234567890.123456789,', '"e": 1E+2,', "1.0"):
        assert text in in_json
    assert in_text[0].split() == ["n", "m", "e", "b", "z"]
    assert in_text[1].split() == ["1.10", "12345678901234567890.123456789", "1E+2", "true"]
    assert in_text[2].split() == ['{"y":[1.0]}']


@pytest.mark.parametrize(
    ("path", "columns"),
    [
        ("WhoAmI", {"BusinessUnitId", "UserId", "OrganizationId"}),
        ("accounts/$count", {"value"}),
    ],
)
def test_query_of_a_function_or_a_value_is_one_row(
    service: Sandbox, path: str, columns: set[str]
) -> None:
    heading, _ = dynamics365("query", service.settings, path).lines
    assert {*heading.split()} == columns


def test_query_reads_as_many_pages_as_are_asked_for_at_the_same_host(service: Sandbox) -> None:
    service.configure(page_size_cap=100, link_origin="https://elsewhere.example")
    path = "accounts?$select=name"
    one = dynamics365("query", service.settings, path, "--json")
    assert one.log == "There are more rows. To read more pages, add --pages 2.\n"
    assert len(json.loads(one.printed)) == 100
    service.clear_requests()
    count = len(service.rows("account"))
    whole = dynamics365("query", service.settings, path, "--json", "--pages", "9")
    assert whole.log == ""
    found = json.loads(whole.printed)
    assert len({row["accountid"] for row in found}) == len(found) == count
    assert asked(service) == [("GET", "accounts")] * -(-count // 100)


def test_query_that_leads_elsewhere_sends_nothing(service: Sandbox) -> None:
    for path in ("https://elsewhere.example/", "//elsewhere.example/", "%2e%2e/v9.1", "$batch"):
        refusal = dynamics365("query", service.settings, path).refusal()
        assert refusal.startswith("The query ")
    assert service.requests() == []


def test_query_that_the_service_refuses_is_one_sentence(service: Sandbox) -> None:
    refusal = dynamics365("query", service.settings, "accounts?$select=nope").refusal()
    assert refusal.startswith("The service answered 400 to ")
    assert "Could not find a property named 'nope'" in refusal


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_query_by_curl_sends_nothing_and_its_command_reads_the_same(service: Sandbox) -> None:
    path = "accounts?$select=name,revenue&$filter=name ne 'it''s \"x\"'&$top=2"
    output = dynamics365("query", service.settings, path, "--curl")
    assert (output.status, output.log) == (0, "")
    assert service.requests() == []
    api = Api(service)
    token = str(api.session.headers["Authorization"]).removeprefix("Bearer ")
    read = subprocess.run(  # noqa: S603 - the command that was printed
        ["/bin/sh", "-c", output.printed],
        env={**os.environ, "ACCESS_TOKEN": token, "no_proxy": "*"},
        capture_output=True,
        check=True,
        timeout=SECONDS,
    )
    assert json.loads(read.stdout, parse_float=Decimal) == api.read(path)
    assert "invented" not in output.printed
    refused = dynamics365("query", service.settings, path, "--curl", "--json")
    assert refused.status == 2
    assert "Give --curl without --json and --pages" in refused.log


def test_query_of_finance_operations_reads_the_companies_of_the_settings(
    finance: FinanceSandbox,
) -> None:
    def companies(**wish: Any) -> set[str]:
        path = "CustomersV3?$select=dataAreaId"
        output = dynamics365("query", {**finance.settings, **wish}, path, "--json")
        return {row["dataAreaId"] for row in json.loads(output.printed)}

    assert len(companies(cross_company=False)) == 1
    assert len(companies(cross_company=True)) > 1


def test_query_of_business_central_reads_a_company(central: CentralSandbox) -> None:
    (company,) = json.loads(
        dynamics365("query", central.settings, "companies?$top=1", "--json").printed
    )
    path = f"companies({company['id']})/customers?$select=number&$top=3"
    assert len(json.loads(dynamics365("query", central.settings, path, "--json").printed)) == 3
