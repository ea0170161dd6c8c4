"""Values of `service_url` that people have: hosts, environments, pages of apps."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.library import Dynamics365
from tap_dynamics365.services.registry import complete_url, kind_of
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.login.program import variables
from tests.servers import proxy, tls
from tests.servers.scripted import answer, serving
from tests.tap import Tap, choose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.servers.tls import TlsFront

DATAVERSE_HOSTS = [
    "org.crm.dynamics.com",
    "org.crm4.dynamics.com",
    "Org.api.crm11.dynamics.com",
    "org.crm.microsoftdynamics.us",
    "org.api.crm.appsplatform.us",
    "org.crm.dynamics.cn",
]
DATAVERSE_PAGES = [
    "",
    "/",
    "/main.aspx?appid=00000000-1111-2222-3333-444444444444&pagetype=entitylist&etn=account",
    "/main.aspx#404040404",
    "/apps/sales",
    "/api/data",
    "/api/data/",
    "/api/data/v9.2/accounts?$top=1",
    "/api/data/v9.2/$metadata",
    "/XRMServices/2011/Organization.svc",
]
FINANCE_HOSTS = ["org.operations.dynamics.com", "org.sandbox.operations.eu.dynamics.com"]
FINANCE_PAGES = ["", "/", "?cmp=usmf&mi=DefaultDashboard", "/data/CustomersV3", "/data/$metadata"]
CENTRAL = "api.businesscentral.dynamics.com"
TENANT = "11111111-2222-3333-4444-555555555555"
WEB_CLIENT = "//businesscentral.dynamics.com"
CENTRAL_PAGES = {
    f"{CENTRAL}/v2.0/{TENANT}/Sandbox": f"{TENANT}/Sandbox/api/v2.0/",
    f"{CENTRAL}/v2.0/{TENANT}/My%20Place/": f"{TENANT}/My%20Place/api/v2.0/",
    f"{CENTRAL}/v2.0/contoso.example/Sandbox//": "contoso.example/Sandbox/api/v2.0/",
    f"{CENTRAL}/v2.0/Sandbox/": "Sandbox/api/v2.0/",
    f"businesscentral.dynamics.com/{TENANT}/Sandbox?company=A%20B&page=22": (
        f"{TENANT}/Sandbox/api/v2.0/"
    ),
    "businesscentral.dynamics.com/Sandbox/": "Sandbox/api/v2.0/",
    "businesscentral.dynamics.com/": "",
    f"businesscentral.dynamics.com/{TENANT}": f"{TENANT}/",
    f"businesscentral.dynamics.com/{TENANT}/admin": f"{TENANT}/",
}
#: URLs that were complete before, or are refused for another reason.
UNCHANGED = [
    "https://org.crm.dynamics.com/api/data/v9.1",
    "https://org.crm.dynamics.com/API/Data/v9.2//",
    "https://crm.contoso.example/org/api/data/v9.1/",
    "https://gateway.example/api/data/",
    "https://gateway.example/",
    "https://org.operations.dynamics.com/Data",
    "https://org.operations.dynamics.com/namespaces/AXSF/data/",
    "https://ax.contoso.example/namespaces/AXSF/data/",
    "https://org.operations.dynamics.com/metadata/",
    "https://org.operations.dynamics.com/v2.0/v9.2/data",
    f"https://{CENTRAL}/",
    f"https://{CENTRAL}/v2.0/{TENANT}/",
    f"https://{CENTRAL}/v2.0/{TENANT}/Sandbox/api/contoso/warehouse/v1.0",
    f"https://{CENTRAL}/v2.0/{TENANT}/Sandbox/ODataV4/",
    f"https://{CENTRAL}/v2.0/{TENANT}/Sandbox/more/",
    f"https://{CENTRAL}/v1.0/{TENANT}/Sandbox/",
    "https://bc.contoso.example:7048/BC/api/v2.0/?tenant=one",
    "https://globaldisco.crm.dynamics.com/api/discovery/v2.0/",
    "http://org.crm.dynamics.com/",
    "http://127.0.0.1:8365/",
    "127.0.0.1:8365/api/data/v9.2/",
    "https://user:password@org.crm.dynamics.com/",
    "https://[::1",
    "",
]


@pytest.mark.parametrize("scheme", ["https://", "", "  https://"])
@pytest.mark.parametrize("host", DATAVERSE_HOSTS)
@pytest.mark.parametrize("page", DATAVERSE_PAGES)
def test_environment_of_dataverse_leads_to_its_web_api(scheme: str, host: str, page: str) -> None:
    url = complete_url(f"{scheme}{host}{page}")
    assert url == f"https://{host}/api/data/v9.2/"
    assert kind_of(url).name == "Dataverse"


def test_version_of_the_web_api_is_kept() -> None:
    assert complete_url("org.crm.dynamics.com/api/data/v9.1/accounts(1)") == (
        "https://org.crm.dynamics.com/api/data/v9.1/"
    )


@pytest.mark.parametrize("scheme", ["https://", ""])
@pytest.mark.parametrize("host", FINANCE_HOSTS)
@pytest.mark.parametrize("page", FINANCE_PAGES)
def test_environment_of_finance_operations_leads_to_its_data(
    scheme: str, host: str, page: str
) -> None:
    url = complete_url(f"{scheme}{host}{page}")
    assert url == f"https://{host}/data/"
    assert kind_of(url).name == "Finance & Operations"


@pytest.mark.parametrize("scheme", ["https://", ""])
@pytest.mark.parametrize("page", CENTRAL_PAGES)
def test_environment_of_business_central_leads_to_its_api(scheme: str, page: str) -> None:
    url = complete_url(f"{scheme}{page}")
    assert url == f"https://{CENTRAL}/v2.0/{CENTRAL_PAGES[page]}"
    assert kind_of(url).name == "Business Central"


@pytest.mark.parametrize("url", UNCHANGED)
def test_other_url_stays_as_it_is(url: str) -> None:
    assert complete_url(url) == url


def test_host_without_a_scheme_is_taken_as_https() -> None:
    assert complete_url("crm.contoso.example/org/api/data/v9.1/") == (
        "https://crm.contoso.example/org/api/data/v9.1/"
    )


def accepts(url: str) -> bool:
    """Tell whether a URL was accepted without being completed."""
    try:
        given = Settings.from_config({"service_url": url, "access_token": "x"}, JSON_SCHEMA)
        kind = kind_of(given.service_url)
        kind.check_url(given.service_url)
    except Exception:  # noqa: BLE001 - whatever it is, the URL is refused
        return False
    return {name.lower() for name in given.url_options} <= kind.url_options


SCHEMES = st.sampled_from(["https://", "http://", "HTTPS://", "", " https://"])
PLACES = st.sampled_from(
    [*DATAVERSE_HOSTS, *FINANCE_HOSTS, CENTRAL, "businesscentral.dynamics.com", "[::1", "a.example"]
)
STEPS = st.lists(
    st.sampled_from(
        ["api", "data", "v9.2", "v2.0", TENANT, "Sandbox", "admin", "ODataV4", "$x", ""]
    )
    | st.text("aA.-%20?#@\\:/ \n", max_size=4)
)
URLS = st.builds(
    lambda scheme, host, path: f"{scheme}{host}/{'/'.join(path)}", SCHEMES, PLACES, STEPS
)


@given(URLS | st.text())
def test_url_of_any_text_is_completed_once(text: str) -> None:
    url = complete_url(text)
    assert complete_url(url) == url
    # The web client has no API, so that its URLs led to no service.
    if accepts(text) and WEB_CLIENT not in text:
        assert url == text


@pytest.fixture
def cloud(service: Sandbox) -> Iterator[tuple[TlsFront, dict[str, Any]]]:
    """The sandbox under the name of a host of Microsoft's, with the settings for it."""
    before = service.configure(authority_url=f"https://{tls.SIGN_IN_HOST}")
    with tls.running(service.url) as front, proxy.running(ports=front.ports) as proxied:
        app = {name: service.settings[name] for name in ("client_id", "client_secret")}
        yield front, {**app, **proxied.settings}
    service.configure(**before)


FORMS = [
    f"https://{tls.SERVICE_HOST}/api/data/v9.2/",
    tls.SERVICE_HOST,
    f"https://{tls.SERVICE_HOST}/main.aspx?appid=1&pagetype=entitylist",
]


def test_state_and_schema_map_are_the_same_for_each_form(
    cloud: tuple[TlsFront, dict[str, Any]], tmp_path: Path
) -> None:
    front, app = cloud
    found = []
    for number, form in enumerate(FORMS):
        kept = tmp_path / f"{number}.json"
        tap = Tap({**app, "service_url": form, "schema_map": str(kept)}, front.environment)
        catalog = choose(tap.discover(), "team")
        run = tap.run(catalog=catalog)
        assert run.status == 0, run.log
        lines = [line for line in run.logged("INFO") if "service_url" in line]
        assert lines == ["Setting service_url is completed to " + FORMS[0] + "."][: number and 1]
        state = json.loads(json.dumps(run.state, default=str))
        found.append((run.counts, state, kept.read_text()))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("form", FORMS)
def test_settings_are_the_same_for_each_form(form: str) -> None:
    first, other = (
        Settings.from_config(
            {"service_url": url, "client_id": "x", "client_secret": "y"},
            JSON_SCHEMA,
            complete_url=complete_url,
        )
        for url in (FORMS[0], form)
    )
    assert replace(other, is_completed=False) == first
    assert other.origin == f"https://{tls.SERVICE_HOST}"
    assert other.is_completed is (form != FORMS[0])


def test_connection_url_and_variables_take_a_host_alone(
    cloud: tuple[TlsFront, dict[str, Any]],
) -> None:
    front, app = cloud
    url = f"jdbc:datadirect:dynamics365:ServiceURL={tls.SERVICE_HOST};"
    run = Tap({**app, "connection_url": url, "tables": ["team"]}, front.environment).run("--test")
    assert run.counts == {"team": 1}, run.log
    environment = variables({**app, "service_url": tls.SERVICE_HOST, "tables": "team"})
    run = Tap({}, {**front.environment, **environment}).run("--config=ENV", "--test")
    assert run.counts == {"team": 1}, run.log


def test_library_takes_a_host_alone(
    cloud: tuple[TlsFront, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    front, app = cloud
    for name, value in front.environment.items():
        monkeypatch.setenv(name, value)
    with Dynamics365({**app, "service_url": tls.SERVICE_HOST}) as service:
        assert [each.table.name for each in service.tables("team")] == ["team"]


def test_server_without_a_metadata_document_is_reported_with_likely_addresses() -> None:
    with serving(answer(b"not here", 404)) as server:
        root = f"{server.url}/org/"
        run = Tap({"service_url": root, "access_token": "invented"}).run("--discover")
    message = run.refusal()
    for path in ("api/data/v9.1/", "data/", "api/v2.0/"):
        assert f"{root}{path} " in message


@pytest.mark.parametrize("portal", ["make.powerapps.com/environments/1/home", "home.dynamics.com"])
def test_portal_is_refused_before_sign_in_with_the_way_out(portal: str) -> None:
    run = Tap({"service_url": portal, "access_token": "invented"}).run("--discover")
    assert "is the address of a portal: open an app" in run.refusal()
    assert "auth" not in run.log
