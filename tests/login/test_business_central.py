"""Sign-in of a person to Business Central, and the check of the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.identity.tokens import TENANT
from tap_dynamics365.connection import connect
from tap_dynamics365.login.app import App
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.login.program import device_code
from tests.servers.scripted import answer, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.central_client import CentralSandbox
    from tests.login.program import Program
    from tests.tap import Tap

ONLINE = "https://api.businesscentral.dynamics.com"


@pytest.fixture
def service(central: CentralSandbox) -> CentralSandbox:
    """The sandbox to which a person signs in."""
    return central


def test_person_signs_in_and_the_environment_is_named(
    devices: CentralSandbox, login: Callable[..., Program], stored_tap: Tap
) -> None:
    program = login("--device-code")
    devices.approve_device(device_code(program))
    assert program.end() == 0
    assert "Signed in as ada@sandbox.onmicrosoft.com." in program.shown
    assert "Organization: environment Production with 5 companies (" in program.shown
    assert ", …), at " in program.shown
    assert stored_tap.but(tables=["companies"]).sync().counts == {"companies": 5}


@pytest.mark.parametrize("route", ["ODataV4", "api/sandbox/loyalty/v1.0"])
def test_environment_is_named_by_each_api(
    devices: CentralSandbox, login: Callable[..., Program], route: str
) -> None:
    program = login("--device-code", service_url=devices.api_url(route))
    devices.approve_device(device_code(program))
    assert program.end() == 0
    assert "Organization: environment Production with 5 companies (" in program.shown


def test_person_without_an_environment_reads_which_there_are(
    devices: CentralSandbox, login: Callable[..., Program]
) -> None:
    program = login("--device-code", service_url=f"{devices.url}/v2.0/{TENANT}/")
    devices.approve_device(device_code(program))
    assert program.end() == 1
    assert f"/v2.0/{TENANT}/Sandbox/api/v2.0/\n" in program.shown
    assert program.shown.endswith("with --service-url and one of these URLs.\n")


def test_scope_and_sign_in_host_are_those_of_business_central() -> None:
    url = f"{ONLINE}/v2.0/{TENANT}/Production/api/v2.0/"
    app = App(Settings.from_config({"service_url": url}, JSON_SCHEMA, for_login=True))
    assert app.scope == f"{ONLINE}/Financials.ReadWrite.All offline_access"
    host = f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0"
    assert app.tenant.token_uri == f"{host}/token"
    assert app.tenant.authorization_uri == f"{host}/authorize"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"value": []}', "environment Production with 0 companies"),
        (b'{"value": [{"name": "A"}]}', "environment Production with 1 company (A)"),
        (b'{"value": [{"name": "A"}, {}, 7]}', "environment Production with 1 company (A)"),
        (b"{}", "environment Production with 0 companies"),
    ],
)
def test_any_list_of_companies_is_described(body: bytes, words: str) -> None:
    with serving(answer(body)) as server:
        config = {
            "service_url": f"{server.url}/v2.0/{TENANT}/Production/api/v2.0/",
            "access_token": "invented-access-token",
        }
        service = connect(Settings.from_config(config, JSON_SCHEMA))
        assert service.kind.who_am_i(service.client).organization == words
