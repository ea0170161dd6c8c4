"""Sign-in at oidc-provider, an independent, certified OAuth 2.0 server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.login.program import address
from tests.servers import oauth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from sandbox.client import Sandbox
    from tests.login.program import Program
    from tests.servers.oauth import OAuthServer
    from tests.tap import Tap

APPS: list[dict[str, Any]] = [
    {"client_id": oauth.PUBLIC_CLIENT},
    {"client_id": oauth.CONFIDENTIAL_CLIENT, "client_secret": oauth.SECRET},
]


@pytest.fixture(scope="module")
def server(sandbox: Sandbox) -> Iterator[OAuthServer]:
    """The server; the sandbox accepts its tokens."""
    if reason := oauth.unavailable():
        pytest.skip(reason)
    with oauth.running(sandbox.url) as running:
        before = sandbox.configure(introspection_url=running.introspection_url)
        yield running
        sandbox.configure(**before)


@pytest.fixture
def settings(server: OAuthServer, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of the command for oidc-provider."""
    return {**settings, "token_uri": server.token_uri, "client_id": None}


def sign_in(page: Page) -> None:
    """Fill in the forms of the server."""
    page.get_by_placeholder("Enter any login").fill("ada")
    page.get_by_placeholder("and password").fill("invented-password")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


@pytest.mark.parametrize("app", APPS, ids=["public", "confidential"])
def test_sign_in_in_a_browser_gives_the_tap_a_token(
    login: Callable[..., Program], page: Page, stored_tap: Tap, app: dict[str, Any]
) -> None:
    program = login(**app)
    page.goto(address(program))
    sign_in(page)
    page.get_by_role("heading", name="You are signed in").wait_for()
    assert program.end() == 0
    # The server accepts a refresh token once: each run uses the token that the last one stored.
    for _ in range(2):
        assert stored_tap.but(**app).discover()["streams"]


@pytest.mark.parametrize("app", APPS, ids=["public", "confidential"])
def test_sign_in_on_another_device_gives_the_tap_a_token(
    login: Callable[..., Program], page: Page, stored_tap: Tap, app: dict[str, Any]
) -> None:
    program = login("--device-code", **app)
    page.goto(program.expect(r"(?m)^(http\S+/devicelogin)$")[1])
    page.locator("input[name=user_code]").fill(program.expect(r"code:\n\n(\S+)\n")[1])
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("heading", name="Confirm Device").wait_for()
    page.get_by_role("button", name="Continue").click()
    sign_in(page)
    page.get_by_role("heading", name="Sign-in Success").wait_for()
    assert program.end() == 0
    for _ in range(2):
        assert stored_tap.but(**app).discover()["streams"]


def test_sign_in_that_is_cancelled_is_reported(login: Callable[..., Program], page: Page) -> None:
    program = login(**APPS[0])
    page.goto(address(program))
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("heading", name="You are not signed in").wait_for()
    assert program.end() == 1
    assert "Sign-in was refused: End-User aborted interaction." in program.shown
