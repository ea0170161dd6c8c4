"""Addresses of Business Central: which URLs belong to it, and what users read about wrong ones."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.identity.tokens import TENANT
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.services.business_central import address
from tap_dynamics365.services.business_central.kind import BUSINESS_CENTRAL
from tap_dynamics365.services.registry import kind_of
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers import proxy, tls
from tests.servers.scripted import answer, serving
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.central_client import CentralSandbox

ONLINE = "https://api.businesscentral.dynamics.com"
DOMAIN = "invented.onmicrosoft.com"
ROUTES = ["api/v2.0", "api/v1.0", "api/beta", "api/contoso/warehouse/v1.0", "ODataV4"]
PLACES = [
    f"{ONLINE}/v2.0/{TENANT}/Production",
    f"{ONLINE}/v2.0/{DOMAIN}/Production",
    f"{ONLINE}/v2.0/Production",
    "https://bc.invented.example:7048/BC",
    "https://bc.invented.example/folder/BC",
    f"https://gateway.invented.example/v2.0/{TENANT}/Production",
]
ACCESS_KEY = "sandbox-access-key-not-real"
BASIC = {"authentication_method": "Basic", "user": "SANDBOX", "password": ACCESS_KEY}
MODES: list[tuple[str, ...]] = [("--discover",), ("--test",), ()]


def settings(url: str) -> Settings:
    """Settings with this URL."""
    return Settings.from_config({"service_url": url, "access_token": "x"}, JSON_SCHEMA)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("end", ["", "/"])
def test_url_of_an_api_is_accepted(place: str, route: str, end: str) -> None:
    url = settings(f"{place}/{route}{end}").service_url
    assert url == f"{place}/{route}/"
    assert kind_of(url) is BUSINESS_CENTRAL
    BUSINESS_CENTRAL.check_url(url)
    found = address.parse(url)
    assert found.is_whole
    assert found.is_online is ("/v2.0/" in place)
    assert found.environment == ("Production" if found.is_online else "")
    assert found.tenant == next((t for t in (TENANT, DOMAIN) if t in place), "")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v2.0/t/Production/api/v2.0/companies(1)/customers", "remove what follows /api/v2.0/"),
        ("/v2.0/t/Production/api/v2.0/$metadata", "remove what follows /api/v2.0/"),
        ("/v2.0/t/Production/ODataV4/Company('A')", "remove what follows /ODataV4/"),
        ("/v2.0/t/Production/ODataV4/$metadata", "remove what follows /ODataV4/"),
        ("/v1.0/t/Production/api/v2.0/", "former platform"),
        ("/v1.0/api/v1.0/", "former platform"),
        ("/v1.0/", "former platform"),
        (f"/v2.0/{TENANT}/Production/", "add api/v2.0/"),
        ("/v2.0/Production/", "add api/v2.0/"),
        (f"/v2.0/{TENANT}/Production/api/", "add api/v2.0/"),
        ("/Production/", "is no URL of Business Central"),
        ("/api/v2.0/", "is no URL of Business Central"),
    ],
)
def test_url_of_something_else_is_refused_with_the_way_out(path: str, words: str) -> None:
    url = settings(f"{ONLINE}{path}").service_url
    assert kind_of(url) is BUSINESS_CENTRAL
    with pytest.raises(SettingsError) as caught:
        BUSINESS_CENTRAL.check_url(url)
    assert words in caught.value.message
    assert caught.value.message.startswith("Setting service_url ")


@pytest.mark.parametrize("path", ["companies(1)/customers", "$metadata"])
def test_url_below_an_api_on_premises_is_refused(path: str) -> None:
    message = Tap({"service_url": f"https://bc.invented.example/BC/api/v2.0/{path}", **BASIC})
    assert "remove what follows /api/v2.0/" in message.run("--discover").refusal()


@pytest.mark.parametrize(
    "url",
    [
        "https://yourorg.api.crm.dynamics.com/api/data/v9.2/",
        "https://yourorg.operations.dynamics.com/data/",
        "https://services.invented.example/v2.0/",
        "https://services.invented.example/v2.0/things/",
        "https://services.invented.example/odata/v4/",
        "https://services.invented.example/api/v2/",
    ],
)
def test_url_of_another_service_is_not_taken(url: str) -> None:
    assert kind_of(url) is not BUSINESS_CENTRAL


@given(st.lists(st.text("aB.-/'()$%20 v", max_size=12) | st.sampled_from(["v2.0", "api", TENANT])))
def test_any_path_is_accepted_or_refused_with_a_sentence(parts: list[str]) -> None:
    for host in (ONLINE, "https://bc.invented.example"):
        url = f"{host}/{'/'.join(parts)}"
        found = address.parse(url)
        if found.is_whole:
            assert address.matches(url)
        if host == ONLINE:
            assert address.matches(url)
        with suppress(SettingsError):
            address.check_url(url)
        assert (address.token_uri(url) is not None) <= bool(found.tenant and host == ONLINE)


def test_tenant_of_the_url_is_the_one_to_sign_in_to() -> None:
    host = "https://login.microsoftonline.com"
    own = BUSINESS_CENTRAL.token_uri(f"{ONLINE}/v2.0/{TENANT}/Production/api/v2.0/")
    assert own == f"{host}/{TENANT}/oauth2/v2.0/token"
    assert BUSINESS_CENTRAL.token_uri(f"{ONLINE}/v2.0/{DOMAIN}/P/ODataV4/") == (
        f"{host}/{DOMAIN}/oauth2/v2.0/token"
    )
    for url in (f"{ONLINE}/v2.0/Production/api/v2.0/", f"https://other/v2.0/{TENANT}/P/api/v2.0/"):
        assert BUSINESS_CENTRAL.token_uri(url) is None


@pytest.fixture
def at_microsoft(central: CentralSandbox) -> Iterator[Callable[..., Tap]]:
    """A function that makes the tap for the sandbox at the names of Microsoft's hosts."""
    names = ("client_id", "client_secret")
    app = {name: central.settings[name] for name in names}
    with tls.running(central.url) as front, proxy.running(ports=front.ports) as running:
        yield lambda path, **others: Tap(
            {"service_url": f"{ONLINE}{path}", **app, **running.settings, **others},
            front.environment,
        )


def test_app_signs_in_to_the_tenant_of_the_url_for_the_host(
    central: CentralSandbox, at_microsoft: Callable[..., Tap]
) -> None:
    tap = at_microsoft(f"/v2.0/{TENANT}/Production/api/v2.0/", tables=["companies"])
    assert tap.sync().counts == {"companies": 5}
    assert central.requests()[0]["path"] == f"/{TENANT}/oauth2/v2.0/token"


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize(
    "path", ["", "/", "/v2.0", f"/v2.0/{TENANT}/", "/v2.0/api/v2.0/", f"/v2.0/{TENANT}/api/v2.0/"]
)
def test_bare_host_is_answered_with_the_environments(
    at_microsoft: Callable[..., Tap], mode: tuple[str, ...], path: str
) -> None:
    uri = f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"
    message = at_microsoft(path, token_uri=uri).run(*mode).refusal()
    assert message == (
        "Setting service_url names no environment: set it to one of "
        f"{ONLINE}/v2.0/{TENANT}/Production/api/v2.0/ (Production), "
        f"{ONLINE}/v2.0/{TENANT}/Sandbox/api/v2.0/ (Sandbox)."
    )


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_url_without_an_environment_is_answered_with_the_environments(
    central: CentralSandbox, mode: tuple[str, ...]
) -> None:
    url = f"{central.url}/v2.0/{TENANT}/"
    run = Tap({**central.settings, "service_url": url}).run(*mode)
    assert f"{url}Production/api/v2.0/ (Production)" in run.refusal()
    paths = [request["path"] for request in central.requests() if "oauth2" not in request["path"]]
    assert paths == ["/environments/v1.2"]


def test_url_without_an_environment_is_explained_if_the_list_is_refused(
    central: CentralSandbox,
) -> None:
    central.configure(app_not_registered=True)
    url = f"{central.url}/v2.0/{TENANT}/"
    message = Tap({**central.settings, "service_url": url}).run("--discover").refusal()
    assert "the service does not list the environments" in message
    assert f"Write it as {ONLINE}/v2.0/<tenant>/<environment>/api/v2.0/" in message
    assert "The server has rejected the client credentials" in message


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ({"value": []}, "there is none that the credentials may use"),
        ({"value": "x"}, "there is none"),
        ({}, "there is none"),
        ({"value": [{"name": 7}, None, {"name": "A b", "type": None}]}, "/A%20b/api/v2.0/"),
        ({"value": [{"name": f"E{number}"} for number in range(25)]}, "and 5 more"),
        ([], "does not list the environments"),
    ],
)
def test_any_list_of_environments_is_answered_with_a_sentence(listed: object, words: str) -> None:
    with serving(answer(json.dumps(listed).encode())) as server:
        url = f"{server.url}/v2.0/{TENANT}/"
        run = Tap({"service_url": url, "access_token": "invented-access-token"}).run("--discover")
    assert words in run.refusal()


def test_tenant_in_the_query_goes_with_every_request(central: CentralSandbox) -> None:
    url = f"{central.on_premises_url.rstrip('/')}?tenant=default"
    tap = Tap({"service_url": url, **BASIC, "tables": ["companies"], "fetch_size": 2})
    assert tap.sync().counts == {"companies": 5}
    assert tap.run("--test").status == 0
    requests = central.requests()
    assert len(requests) > 5
    assert [request["query"].get("tenant") for request in requests] == ["default"] * len(requests)
    wrong = tap.but(service_url=url.replace("default", "other")).run("--discover").refusal()
    assert "The tenant 'other' is not found" in wrong
    assert "Check the tenant in service_url." in wrong


def test_link_without_the_tenant_is_followed_with_it(central: CentralSandbox) -> None:
    central.fault("/companies", substitute=[("tenant=default&", ""), ("&tenant=default", "")])
    url = f"{central.on_premises_url}?tenant=default"
    tap = Tap({"service_url": url, **BASIC, "tables": ["companies"], "fetch_size": 2})
    assert tap.sync().counts == {"companies": 5}
    assert {request["query"].get("tenant") for request in central.requests()} == {"default"}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"{ONLINE}/v2.0/P/api/v2.0/?company=A", "without options in its query but tenant"),
        ("https://yourorg.api.crm.dynamics.com/api/data/v9.2/?tenant=x", "without options in its"),
        (f"{ONLINE}/v2.0/P/api/v2.0/#part", "must be an absolute URL"),
    ],
)
def test_other_options_in_the_url_are_refused(url: str, words: str) -> None:
    run = Tap({"service_url": url, "access_token": "invented-access-token"}).run("--discover")
    assert words in run.refusal()
