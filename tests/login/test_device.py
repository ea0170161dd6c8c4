"""Sign-in on another device with a device code, at the sandbox."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from sandbox.identity.tokens import ORGANISATION
from tests.login.program import device_code
from tests.servers import certificate
from tests.servers.front import Front, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from sandbox.client import Sandbox
    from tests.login.program import Program
    from tests.tap import Tap


def enter_code(program: Program, page: Page) -> None:
    """Open the page that the command names, and enter the code."""
    page.goto(program.expect(r"(?m)^(http\S+/devicelogin)$")[1])
    page.get_by_label("Code").fill(device_code(program))
    page.get_by_role("button", name="Next").click()


def test_sign_in_on_another_device_gives_the_tap_a_token(
    devices: Sandbox, login: Callable[..., Program], page: Page, stored_tap: Tap
) -> None:
    program = login("--device-code")
    enter_code(program, page)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("You have signed in.").wait_for()
    assert program.end() == 0
    assert "Signed in as Ada Sandbox (ada@sandbox.onmicrosoft.com), user " in program.shown
    assert program.printed == ""
    assert stored_tap.discover()["streams"]
    assert not [secret for secret in devices.issued() if secret in program.shown]


def test_sign_in_that_is_cancelled_on_the_device_is_reported(
    devices: Sandbox,  # noqa: ARG001
    login: Callable[..., Program],
    page: Page,
    settings: dict[str, Any],
) -> None:
    program = login("--device-code")
    enter_code(program, page)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("You have cancelled.").wait_for()
    assert program.end() == 1
    assert "AADSTS65004: User declined to consent" in program.shown
    assert not Path(settings["token_store"]).exists()


@pytest.mark.parametrize("proof", ["client_secret", "client_certificate"])
def test_confidential_app_authenticates_with_secret_or_certificate(
    devices: Sandbox, login: Callable[..., Program], stored_tap: Tap, proof: str
) -> None:
    app = {"client_id": devices.settings["client_id"]}
    if proof == "client_secret":
        app[proof] = devices.settings["client_secret"]
    else:
        made = certificate.make()
        devices.register_certificate(made.pem)
        app[proof] = made.with_key()
    program = login("--device-code", **app)
    devices.approve_device(device_code(program))
    assert program.end() == 0
    assert app[proof] not in program.shown
    assert stored_tap.but(**app).discover()["streams"]


@pytest.mark.parametrize("interval", [1, 10**12])
def test_device_code_that_nobody_enters_expires(
    devices: Sandbox, login: Callable[..., Program], interval: int
) -> None:
    """The code expires in time even if the host asks for a longer polling interval."""
    before = devices.configure(device_code_lifetime=1, device_code_interval=interval)
    try:
        program = login("--device-code")
        assert program.end() == 1
    finally:
        devices.configure(**before)
    assert program.shown.endswith(
        "Nobody entered the code before it expired. Start again when you are ready.\n"
    )


def poll_times(devices: Sandbox) -> list[float]:
    """Return the times of the requests for tokens."""
    return [
        request["at"]
        for request in devices.requests()
        if request["method"] == "POST" and request["path"].endswith("/token")
    ]


def test_device_code_polled_too_often_is_polled_five_seconds_later(
    devices: Sandbox, login: Callable[..., Program]
) -> None:
    body = {"error": "slow_down"}
    devices.fault("/token", method="POST", status=400, body=body, count=1)
    program = login("--device-code")
    devices.approve_device(device_code(program))
    assert program.end() == 0
    first, second = poll_times(devices)
    # The interval of 1 s, and the 5 s that RFC 8628, section 3.5, adds to it.
    assert second - first >= 1 + 5


def test_device_code_poll_that_is_cut_off_is_retried(
    devices: Sandbox, login: Callable[..., Program]
) -> None:
    devices.fault("/token", method="POST", drop=True, count=1)
    program = login("--device-code")
    devices.approve_device(device_code(program))
    assert program.end() == 0
    assert len(poll_times(devices)) == 2


@pytest.mark.parametrize(
    "fault",
    [{"html": True}, {"status": 404, "body": "no healthy upstream"}],
    ids=["a web page", "a missing route"],
)
def test_device_code_poll_with_an_answer_outside_oauth_is_retried(
    devices: Sandbox, login: Callable[..., Program], fault: dict[str, Any]
) -> None:
    devices.fault("/token", method="POST", count=1, **fault)
    program = login("--device-code")
    devices.approve_device(device_code(program))
    assert program.end() == 0
    assert len(poll_times(devices)) == 2


def test_app_that_is_unknown_is_reported(
    devices: Sandbox,  # noqa: ARG001
    login: Callable[..., Program],
) -> None:
    program = login("--device-code", client_id="invented-app")
    assert program.end() == 1
    assert "AADSTS700016" in program.shown
    assert "check client_id" in program.shown


@pytest.mark.parametrize(
    "fault",
    [{"html": True}, {"status": 200, "body": {"user_code": "X"}}, {"status": 200, "body": []}],
    ids=["a web page", "no device code", "no object"],
)
def test_device_code_answer_outside_oauth_is_reported(
    devices: Sandbox, login: Callable[..., Program], fault: dict[str, Any]
) -> None:
    devices.fault("/devicecode", method="POST", **fault)
    program = login("--device-code")
    assert program.end() == 1
    assert "Check token_uri." in program.shown


def test_names_that_the_person_may_not_read_are_left_out(
    devices: Sandbox, login: Callable[..., Program]
) -> None:
    devices.configure(forbidden_tables=["systemuser"])
    program = login("--device-code")
    devices.approve_device(device_code(program))
    assert program.end() == 0
    assert re.search(r"^Signed in as user [0-9a-f-]{36}\.$", program.shown, re.MULTILINE)


def test_service_without_who_am_i_is_only_required_to_answer(
    devices: Sandbox, login: Callable[..., Program], settings: dict[str, Any]
) -> None:
    """Finance & Operations has no WhoAmI: the command names the account of the token."""

    class Finance(Front):
        upstream = devices.url

        @override
        def serve(self) -> None:
            self.path = self.path.replace("/data/", "/api/data/v9.2/", 1)
            self.forward(self.body())

    with serving(Finance) as server:
        url = f"http://127.0.0.1:{server.server_port}/data/"
        # A token for the organisation's name is valid at each address of the sandbox.
        scope = f"{ORGANISATION}/user_impersonation"
        program = login("--device-code", service_url=url, scope=scope)
        devices.approve_device(device_code(program))
        assert program.end() == 0
    assert "Signed in as ada@sandbox.onmicrosoft.com." in program.shown
    assert Path(settings["token_store"]).exists()


def test_ctrl_c_during_sign_in_on_a_device_ends_the_command(
    devices: Sandbox,  # noqa: ARG001
    login: Callable[..., Program],
) -> None:
    program = login("--device-code")
    device_code(program)
    program.interrupt()
    assert program.end() == 130
    assert program.shown.endswith("Ended.\n")
