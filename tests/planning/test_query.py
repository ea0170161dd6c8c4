"""Query: which paths stay below the service root, and the command of curl that reads the same."""

from __future__ import annotations

from typing import Any

import pytest

from tap_dynamics365.connection import connect
from tap_dynamics365.errors import QueryError
from tap_dynamics365.planning import query
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.settings.configs import ACCESS_TOKEN, BASIC, NTLM, PROXY, SECRET, SERVICE, TOKEN

FINANCE = {"service_url": "https://org.operations.dynamics.com/data/", "access_token": TOKEN}
CENTRAL_URL = "https://bc.example/BC/api/v2.0/"
CENTRAL = {"service_url": f"{CENTRAL_URL}?tenant=one", "access_token": TOKEN}
CLOUD = {
    "service_url": "https://api.businesscentral.dynamics.com/v2.0/production/api/v2.0/",
    "access_token": TOKEN,
}


def address(path: str, config: dict[str, Any] = ACCESS_TOKEN) -> str:
    settings = Settings.from_config(config, JSON_SCHEMA)
    return query.address(connect(settings), settings, path)


def curl(path: str, config: dict[str, Any] = ACCESS_TOKEN) -> str:
    settings = Settings.from_config(config, JSON_SCHEMA)
    service = connect(settings)
    return query.curl(service, settings, query.address(service, settings, path))


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("accounts?$select=name&$top=5", "accounts?$select=name&$top=5"),
        ("accounts?$filter=name eq 'Söhne'", "accounts?$filter=name%20eq%20'S%C3%B6hne'"),
        # What is encoded stays as it is, and a sign of percent alone is one.
        ("accounts?$filter=name%20eq%20'50%'", "accounts?$filter=name%20eq%20'50%25'"),
        ("accounts?$filter=name eq '../x'", "accounts?$filter=name%20eq%20'../x'"),
        ("accounts?$filter=name eq '%23'", "accounts?$filter=name%20eq%20'%23'"),
        ('accounts?$filter=name eq "[x]"', "accounts?$filter=name%20eq%20%22%5Bx%5D%22"),
        ("WhoAmI", "WhoAmI"),
        ("accounts(name='a..b')/contacts/$count", "accounts(name='a..b')/contacts/$count"),
        ("f(x=@p)?@p=['https://x.example']", "f(x=@p)?@p=%5B'https://x.example'%5D"),
    ],
)
def test_address_of_a_path_is_encoded_below_the_service_root(path: str, sent: str) -> None:
    assert address(path) == SERVICE + sent


@pytest.mark.parametrize(
    "path",
    [
        "https://elsewhere.example/accounts",
        "HTTP://elsewhere.example/",
        " https://elsewhere.example/",
        "https%3A%2F%2Felsewhere.example/",
        "javascript:alert(1)",
        "//elsewhere.example/accounts",
        "%2f%2felsewhere.example/",
        "\\\\elsewhere.example\\accounts",
        "/accounts",
        "accounts//x",
        "../v9.1/accounts",
        "accounts/../../x",
        "accounts/%2e%2e/%2E./x",
        "accounts/%252e%252e/x",
        "accounts%2f..%5c..%5cx",
        "accounts\\..\\..\\x",
        "accounts/..;x=1/y",
        "./accounts",
        "..?$top=5",
        "",
        "?$top=5",
        "  ?$top=5",
        "@elsewhere.example:80//",
    ],
)
def test_path_that_may_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(QueryError, match="must be a path below service_url"):
        address(path)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("$batch", r"can't have \$batch"),
        ("%24BATCH", r"can't have \$BATCH"),
        ("accounts/%2524batch?x", r"can't have \$batch"),
        ("$metadata", r"can't have \$metadata"),
        ("accounts(1)/entityimage/$value", r"can't have \$value"),
        ("accounts#x", "begins a fragment"),
        ("accounts?$filter=name eq '#'", "begins a fragment"),
        ("accounts\r\nHost: elsewhere.example", "control characters"),
        ("accounts?x=%0d%0aHost:%20elsewhere.example", "control characters"),
        ("accounts?x=%00", "control characters"),
        ("accounts?x=\ud800", "control characters"),
    ],
)
def test_path_that_can_not_be_read_is_refused_with_the_reason(path: str, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        address(path)


def test_address_has_the_options_of_the_settings_unless_the_query_has_them() -> None:
    config = {**FINANCE, "cross_company": True}
    root = FINANCE["service_url"]
    assert address("CustomersV3?$top=1", config) == f"{root}CustomersV3?$top=1&cross-company=true"
    own = "CustomersV3?Cross-Company=false"
    assert address(own, config) == root + own
    assert address("companies", CENTRAL) == f"{CENTRAL_URL}companies?tenant=one"


def test_curl_names_the_headers_that_matter_and_no_secret() -> None:
    assert curl("accounts?$filter=name eq 'O''Neill'") == (
        "curl --compressed \\\n"
        "  --header 'Accept: application/json' \\\n"
        "  --header 'OData-MaxVersion: 4.0' \\\n"
        "  --header 'OData-Version: 4.0' \\\n"
        '  --header "Authorization: Bearer $ACCESS_TOKEN" \\\n'
        f"  '{SERVICE}accounts?$filter=name%20eq%20%27O%27%27Neill%27'"
    )
    assert "  --header 'Data-Access-Intent: ReadOnly' \\\n" in curl("companies", CLOUD)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (NTLM, r"--ntlm --user 'CORP\reader'"),
        (BASIC, "--user reader"),
        (PROXY, '--header "Authorization: Bearer $ACCESS_TOKEN"'),
        (PROXY, "--proxy http://proxy.example:8080"),
    ],
)
def test_curl_signs_as_the_settings_say_without_the_password(
    config: dict[str, Any], options: str
) -> None:
    service_url = CENTRAL_URL if config is BASIC else config["service_url"]
    command = curl("accounts", {**config, "service_url": service_url})
    assert f"  {options} \\\n" in command
    assert SECRET not in command
    assert TOKEN not in command
