"""Sign-in in a real browser, at the sandbox."""

from __future__ import annotations

import json
import socket
import stat
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tap_dynamics365.errors import SignInError
from tap_dynamics365.login import browser as browser_sign_in
from tap_dynamics365.login.app import App
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.login.program import address, press, redirect_uri, state

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from sandbox.client import Sandbox
    from tests.login.program import Program
    from tests.tap import Tap

NOT_SIGNED_IN = "You are not signed in"


def visit(program: Program, query: str, method: str = "GET", host: str = "127.0.0.1") -> str:
    """Send a request to the command, as any program on this machine can; return the answer."""
    port = urlsplit(redirect_uri(program)).port
    connection = HTTPConnection(host, port, timeout=60)
    connection.request(method, query)
    answer = connection.getresponse()
    text = f"{answer.status} {answer.read().decode()}"
    connection.close()
    return text


def addresses(name: str) -> set[str]:
    """Resolve a name to all its addresses."""
    return {str(found[4][0]) for found in socket.getaddrinfo(name, None)}


def test_sign_in_in_a_browser_gives_the_tap_a_token(
    login: Callable[..., Program], page: Page, stored_tap: Tap, service: Sandbox
) -> None:
    program = login()
    page.goto(address(program))
    press(page, "Sign in")
    assert "As Ada Sandbox (ada@sandbox.onmicrosoft.com), at 127.0.0.1:" in page.inner_text("main")
    assert "You can close this window and return to the terminal." in page.inner_text("main")
    assert program.end() == 0
    assert "Signed in as Ada Sandbox (ada@sandbox.onmicrosoft.com), user " in program.shown
    assert f"at {service.service_url}" in program.shown
    assert program.printed == ""
    store = Path(stored_tap.settings["token_store"])
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    for _ in range(2):
        assert stored_tap.discover()["streams"]
    secrets = [json.loads(store.read_text())["refresh_token"], *service.issued()]
    assert not [secret for secret in secrets if secret in program.shown]


def test_authorization_request_has_only_the_required_parameters(
    login: Callable[..., Program],
) -> None:
    program = login()
    query = parse_qs(urlsplit(address(program)).query)
    assert query.pop("scope")[0].endswith("/user_impersonation offline_access")
    assert query.pop("code_challenge_method") == ["S256"]
    assert len(query.pop("code_challenge")[0]) == 43
    assert len(query.pop("state")[0]) >= 43
    assert query.pop("redirect_uri")[0].startswith("http://localhost:")
    assert query == {
        "client_id": [query["client_id"][0]],
        "response_type": ["code"],
        "response_mode": ["query"],
    }


@pytest.mark.parametrize("scope", ["a/.default", "a/.default offline_access"])
def test_authorization_request_with_a_scope_setting_adds_offline_access(
    login: Callable[..., Program], scope: str
) -> None:
    query = parse_qs(urlsplit(address(login(scope=scope))).query)
    assert query["scope"] == ["a/.default offline_access"]


def test_sign_in_that_is_cancelled_is_reported_in_browser_and_terminal(
    login: Callable[..., Program], page: Page, settings: dict[str, Any]
) -> None:
    program = login()
    page.goto(address(program))
    press(page, "Cancel", NOT_SIGNED_IN)
    text = page.inner_text("main")
    assert text.startswith(NOT_SIGNED_IN)
    assert "AADSTS65004: User declined to consent" in text
    assert "You can close this window. To try again, run dynamics365 login again." in text
    assert program.end() == 1
    assert "AADSTS65004: User declined to consent" in program.shown
    assert not Path(settings["token_store"]).exists()


def test_confidential_app_authenticates_with_its_secret(
    login: Callable[..., Program], page: Page, stored_tap: Tap, service: Sandbox
) -> None:
    app = {name: service.settings[name] for name in ("client_id", "client_secret")}
    program = login(**app)
    page.goto(address(program))
    press(page, "Sign in")
    assert program.end() == 0
    assert app["client_secret"] not in program.shown
    assert stored_tap.but(**app).discover()["streams"]


def test_code_that_is_refused_is_reported_in_browser_and_terminal(
    login: Callable[..., Program], page: Page, service: Sandbox
) -> None:
    service.refuse_sign_in(50076)
    program = login()
    page.goto(address(program))
    press(page, "Sign in", NOT_SIGNED_IN)
    assert "AADSTS50076" in page.inner_text("main")
    assert program.end() == 1
    assert "AADSTS50076" in program.shown


def test_transient_failure_of_the_sign_in_host_is_retried(
    login: Callable[..., Program], page: Page, service: Sandbox
) -> None:
    service.refuse_sign_in(90033, "temporarily_unavailable", 503, count=1, retry_after="0")
    program = login()
    page.goto(address(program))
    press(page, "Sign in")
    assert program.end() == 0
    assert "Trying again" in program.shown


def test_person_who_is_not_a_user_of_the_environment_is_refused(
    login: Callable[..., Program], page: Page, service: Sandbox, settings: dict[str, Any]
) -> None:
    service.configure(not_a_member=True)
    try:
        program = login()
        page.goto(address(program))
        press(page, "Sign in", NOT_SIGNED_IN)
        assert "The account that signs in is not a user of this environment" in page.inner_text(
            "main"
        )
        assert program.end() == 1
    finally:
        service.configure(not_a_member=False)
    assert "0x80072560" in program.shown
    assert not Path(settings["token_store"]).exists()


def test_error_description_with_html_is_shown_as_text(
    login: Callable[..., Program], page: Page
) -> None:
    program = login()
    words = "AADSTS1: <script>document.title='taken'</script><img src=x>&amp; \"quoted\""
    answer = {"error": "access_denied", "error_description": words, "state": state(program)}
    page.goto(f"{redirect_uri(program)}?{urlencode(answer)}")
    assert words in page.inner_text("main")
    assert page.title() == "You are not signed in – tap-dynamics365"
    assert page.locator("script, img").count() == 0
    assert program.end() == 1


def test_redirect_of_another_sign_in_is_ignored(login: Callable[..., Program], page: Page) -> None:
    program = login()
    for query in ("?code=stolen&state=another", "?code=stolen", "?state=%C3%A9&code=x", ""):
        page.goto(f"{redirect_uri(program)}{query}")
        text = page.inner_text("main")
        assert "does not belong to the sign-in that dynamics365 login waits for" in text
    page.goto(address(program))
    press(page, "Sign in")
    assert program.end() == 0
    assert program.shown.count("Ignored an address that does not belong to this sign-in") == 4
    assert "stolen" not in program.shown


def test_request_to_another_address_is_refused(login: Callable[..., Program]) -> None:
    program = login()
    right = f"?code=x&state={state(program)}"
    assert visit(program, "/favicon.ico") == "404 "
    assert visit(program, f"/other{right}") == "404 "
    assert visit(program, f"/{right}", "POST").startswith("501")
    assert program.process.poll() is None


def test_redirect_listener_answers_on_each_loopback_address_only(
    login: Callable[..., Program],
) -> None:
    program = login()
    redirect_uri(program)
    for host in addresses("localhost"):
        assert visit(program, "/favicon.ico", host=host) == "404 "
    for host in addresses(socket.gethostname()) - {"127.0.0.1", "::1"}:
        with pytest.raises(OSError, match="refused"):
            visit(program, "/", host=host)


def test_page_is_accessible_private_and_follows_the_color_scheme(
    login: Callable[..., Program], page: Page
) -> None:
    program = login()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    answer = page.goto(redirect_uri(program))
    assert answer
    assert asked == [redirect_uri(program)]
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("main h1").count() == 1
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["referrer-policy"] == "no-referrer"
    for scheme, dark in (("light", False), ("dark", True)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        ink = page.evaluate("getComputedStyle(document.body).color")
        assert (ink == "rgb(255, 255, 255)") is dark


def test_ctrl_c_during_sign_in_in_a_browser_ends_the_command(login: Callable[..., Program]) -> None:
    program = login()
    address(program)
    program.interrupt()
    assert program.end() == 130
    assert program.shown.endswith("Ended.\n")


def test_sign_in_that_nobody_completes_times_out(settings: dict[str, Any]) -> None:
    app = App(Settings.from_config(settings, JSON_SCHEMA, for_login=True))
    with pytest.raises(SignInError, match="Nobody signed in within 0 minutes"):
        browser_sign_in.sign_in(app, lambda _: "nobody", seconds=0)


def test_browser_of_the_person_is_opened(
    login: Callable[..., Program], page: Page, tmp_path: Path
) -> None:
    opened = tmp_path / "opened"
    script = tmp_path / "invented-browser"
    script.write_text(
        f'#!/bin/sh\necho noise\nprintf %s "$1" > {opened}.new\nmv {opened}.new {opened}\n'
    )
    script.chmod(0o755)
    program = login(environment={"BROWSER": str(script)})
    program.expect("Your browser opens")
    url = address(program)
    page.goto(url)
    press(page, "Sign in")
    assert program.end() == 0
    assert opened.read_text() == url
    assert "noise" not in program.shown + program.printed


def test_text_browser_without_a_screen_is_not_opened(
    login: Callable[..., Program], tmp_path: Path
) -> None:
    for name in ("www-browser", "lynx", "w3m"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/opened\n")
        program.chmod(0o755)
    started = login(environment={"PATH": str(tmp_path), "TERM": "xterm"})
    address(started)
    assert "Open this address in a browser" in started.shown
    assert not (tmp_path / "opened").exists()
