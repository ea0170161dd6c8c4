"""Questions in a terminal, and a browser on another machine."""

from __future__ import annotations

import os
import termios
from typing import TYPE_CHECKING, Any

import pytest

from tests.login.program import address, press, state
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from sandbox.client import Sandbox
    from tests.login.program import Program

NOTHING = dict.fromkeys(("service_url", "token_uri", "client_id", "token_store"))
PASTE = "and press Enter"


@pytest.fixture
def far_page(launch: Callable[..., Browser]) -> Iterator[Page]:
    """An empty page in a browser that can't reach this machine as `localhost`."""
    browser = launch("--host-resolver-rules=MAP localhost ~NOTFOUND")
    yield browser.new_page()
    browser.close()


def sign_in_elsewhere(program: Program, page: Page) -> str:
    """Sign in in a browser that can't reach the command; return the address of its last page."""
    page.goto(address(program))
    with page.expect_event("requestfailed") as failed:
        page.get_by_role("button", name="Sign in").click()
    return str(failed.value.url)


def test_settings_that_are_missing_are_asked_for(
    login: Callable[..., Program], service: Sandbox, tmp_path: Path, page: Page
) -> None:
    known = {**service.settings, "token_store": "kept/token.json"}
    program = login("--token-uri", known["token_uri"], terminal=True, **NOTHING)
    for name in ("service_url", "client_id", "client_secret", "token_store"):
        program.expect(rf"\({name}\)[^\n]*: $")
        program.type(known[name])
    page.goto(address(program))
    press(page, "Sign in")
    assert program.end() == 0
    assert known["client_secret"] not in program.shown
    # The command prints the settings that the tap needs, but no secret.
    printed = program.shown.partition("To use the token, add these settings")[2]
    assert f"TAP_DYNAMICS365_SERVICE_URL={service.service_url}\n" in printed
    assert "# TAP_DYNAMICS365_CLIENT_SECRET= the value that you used\n" in printed
    assert "TAP_DYNAMICS365_TOKEN_STORE=kept/token.json\n" in printed
    tap = Tap({**known, "token_store": str(tmp_path / "kept/token.json")})
    assert tap.but(refresh_token=None).discover()["streams"]


def test_empty_answers_mean_no_secret_and_a_token_store_in_the_home_folder(
    login: Callable[..., Program], settings: dict[str, Any], tmp_path: Path
) -> None:
    changed = {"client_id": None, "token_store": None}
    home = {"HOME": str(tmp_path)}
    program = login("--browser", terminal=True, environment=home, **changed)
    program.expect(r"\(client_id\): $")
    program.type("")
    program.expect(r"(?s)\(client_id\): .*\(client_id\): $")
    program.type(settings["client_id"])
    program.expect(r"\(client_secret\): $")
    program.type("")
    program.expect(r"\(token_store\) \[~/\.tap-dynamics365/token\.json\]: $")
    program.type("")
    address(program)
    assert (tmp_path / ".tap-dynamics365").is_dir()


@pytest.mark.parametrize("how", ["Ctrl-C", "Ctrl-D"])
def test_question_that_is_interrupted_ends_the_command(
    login: Callable[..., Program], how: str
) -> None:
    program = login(terminal=True, service_url=None)
    program.expect(r"\(service_url\): $")
    if how == "Ctrl-C":
        program.interrupt()
    else:
        program.type("\x04")
    assert program.end() == 130
    assert program.shown.endswith("Ended.\n")


@pytest.mark.parametrize(
    ("missing", "way_out"),
    [
        ("client_id", "Setting client_id is missing: add --client-id, or --config"),
        ("token_store", "add --token-store with a file to keep it in (the setting token_store)"),
    ],
)
def test_setting_that_is_missing_without_a_terminal_is_named(
    login: Callable[..., Program], missing: str, way_out: str
) -> None:
    program = login(**{missing: None})
    assert program.end() == 1
    assert way_out in program.shown
    assert len(program.shown.splitlines()) == 1


def test_address_pasted_from_a_browser_on_another_machine_signs_in(
    login: Callable[..., Program], far_page: Page, stored_tap: Tap
) -> None:
    program = login(terminal=True, environment={"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"})
    ended_on = sign_in_elsewhere(program, far_page)
    program.expect(PASTE)
    program.type(ended_on)
    assert program.end() == 0
    assert "Signed in as Ada Sandbox" in program.shown
    assert "code=" not in program.shown
    assert stored_tap.discover()["streams"]


def test_address_longer_than_a_terminal_line_is_accepted(
    login: Callable[..., Program], far_page: Page
) -> None:
    program = login(terminal=True)
    ended_on = sign_in_elsewhere(program, far_page)
    program.expect(PASTE)
    program.type(f"{ended_on}&session_state={'x' * 10_000}")
    assert program.end() == 0


def test_address_of_another_sign_in_is_ignored_and_not_shown(
    login: Callable[..., Program], far_page: Page
) -> None:
    program = login(terminal=True)
    ended_on = sign_in_elsewhere(program, far_page)
    program.expect(PASTE)
    for text in ("http://localhost:1/?code=stolen&state=another", "stolen", "http://[stolen"):
        program.type(text)
        program.expect("does not belong to this sign-in")
        program.shown = program.shown.replace("does not belong to this sign-in", "…")
    program.type(ended_on)
    assert program.end() == 0
    assert "stolen" not in program.shown


def test_address_with_a_refusal_is_reported(login: Callable[..., Program]) -> None:
    program = login(terminal=True)
    right = state(program)
    program.expect(PASTE)
    program.type(f"http://localhost/?error=access_denied&error_description=Invented&state={right}")
    assert program.end() == 1
    assert "Sign-in was refused: Invented." in program.shown


@pytest.mark.parametrize("how", ["Ctrl-C", "refusal"])
def test_terminal_settings_are_restored_at_the_end(login: Callable[..., Program], how: str) -> None:
    program = login(terminal=True)
    assert program.terminal is not None
    right = state(program)
    program.expect(PASTE)
    waiting = termios.tcgetattr(program.terminal)[3]
    assert not waiting & (termios.ECHO | termios.ICANON)
    if how == "Ctrl-C":
        program.interrupt()
        program.expect("Ended")
    else:
        program.type(f"?error=invented&state={right}")
        program.expect("refused")
    program.end()
    ours, its = os.openpty()
    untouched = termios.tcgetattr(ours)[3]
    os.close(its)
    os.close(ours)
    assert termios.tcgetattr(program.terminal)[3] == untouched
