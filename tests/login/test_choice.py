"""Login without `service_url`: the person chooses from the list of environments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.login.program import address, device_code
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.central_client import CentralSandbox
    from sandbox.client import Sandbox
    from tests.login.program import Program

WHICH = r"Number of the environment: $"


def test_environment_chosen_in_the_terminal_becomes_service_url(
    login: Callable[..., Program],
    service: Sandbox,
    settings: dict[str, Any],
    tmp_path: Path,
) -> None:
    program = login("--write", "config.json", terminal=True, service_url=None)
    program.expect(r"press Enter\) \(service_url\): $")
    program.type("")
    # The page of the sandbox redirects to the command, which answers with its own page.
    page = requests.post(address(program), data={"answer": "sign-in"}, timeout=60).text
    assert "Choose an environment in the terminal." in page
    program.expect(WHICH)
    assert "Closed Branch" not in program.shown
    assert "Left out because disabled: 1." in program.shown
    # What is no number of the list is asked again.
    program.type("3")
    program.expect(rf"Enter a number from 1 to 2\.\n{WHICH}")
    program.type("2")
    assert program.end() == 0, program.shown
    assert "Signed in as Ada Sandbox" in program.shown
    written = json.loads((tmp_path / "config.json").read_text())
    assert written == {**settings, "service_url": service.service_url}
    assert Tap(written).discover()["streams"]


def test_list_ends_the_command_without_a_terminal(
    login: Callable[..., Program], devices: Sandbox, tmp_path: Path
) -> None:
    program = login("--device-code", service_url=None)
    devices.approve_device(device_code(program))
    assert program.end() == 1
    assert f"  {devices.service_url}\n" in program.shown
    assert "https://invented-org-test.crm4.dynamics.com" in program.shown
    assert program.shown.endswith("with --service-url and one of these URLs.\n")
    assert not (tmp_path / "token.json").exists()


def test_list_without_environments_is_said(login: Callable[..., Program], devices: Sandbox) -> None:
    before = devices.configure(no_environments=True)
    program = login("--device-code", service_url=None)
    devices.approve_device(device_code(program))
    assert program.end() == 1
    devices.configure(**before)
    assert "There is no environment in the list: sign in as another user" in program.shown


def test_tenant_is_asked_for_where_it_is_not_known(
    login: Callable[..., Program], service: Sandbox
) -> None:
    program = login("--device-code", terminal=True, service_url=None, token_uri=None)
    program.expect(r"\(service_url\): $")
    program.type("")
    program.expect(r"Directory \(tenant\) ID [^\n]* \(token_uri\): $")
    program.type(service.announced["token_uri"])
    program.expect(r"(?m)/devicelogin$")
    program.interrupt()
    program.end()


def test_settings_without_url_and_tenant_are_refused_without_a_terminal(
    login: Callable[..., Program],
) -> None:
    program = login(service_url=None, token_uri=None)
    assert program.end() == 1
    assert "Setting service_url is missing: add --service-url, or --config" in program.shown
    assert program.shown.endswith("To list your environments, add --token-uri.\n")


@pytest.mark.parametrize("answer", ["1", "2"])
def test_business_central_without_environment_lists_its_own(
    login: Callable[..., Program],
    central: CentralSandbox,
    tmp_path: Path,
    answer: str,
) -> None:
    before = central.configure(device_code_interval=1)
    announced = central.announced
    program = login(
        "--device-code",
        terminal=True,
        service_url=f"{central.url}/v2.0/{announced['tenant_id']}",
        token_uri=announced["token_uri"],
    )
    central.approve_device(device_code(program))
    program.expect(WHICH)
    program.type(answer)
    assert program.end() == 0, program.shown
    central.configure(**before)
    name = ["Production", "Sandbox"][int(answer) - 1]
    assert f"/{announced['tenant_id']}/{name}/api/v2.0/." in program.shown
    assert (tmp_path / "token.json").exists()
