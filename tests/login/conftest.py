"""Fixtures of the login command: a browser, and the command for a sandbox."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from tests.login.program import Program, running, variables
from tests.servers import chromium
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from sandbox.client import Sandbox

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[..., Browser]]:
    """Start browsers, with arguments of their own if wanted."""
    path = chromium.executable()
    if path is None:
        pytest.skip("neither Chromium nor Chrome is installed")
    with sync_playwright() as playwright:
        yield lambda *arguments: playwright.chromium.launch(
            executable_path=path, args=[*ARGUMENTS, *arguments]
        )


@pytest.fixture(scope="module")
def browser(launch: Callable[..., Browser]) -> Iterator[Browser]:
    """A browser."""
    started = launch()
    yield started
    started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of a browser that nobody used before."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def settings(service: Sandbox, tmp_path: Path) -> dict[str, Any]:
    """The settings with which people sign in to the sandbox, with an app that has no secret."""
    return {
        "service_url": service.service_url,
        "token_uri": service.announced["token_uri"],
        "client_id": service.announced["public_client_id"],
        "token_store": str(tmp_path / "token.json"),
    }


@pytest.fixture
def login(tmp_path: Path, settings: dict[str, Any]) -> Iterator[Callable[..., Program]]:
    """Start the command with these settings in its environment, as Meltano does.

    Other settings can be given, and None takes one away.
    """
    with ExitStack() as programs:

        def start(
            *arguments: str,
            terminal: bool = False,
            environment: dict[str, str] | None = None,
            **changed: Any,
        ) -> Program:
            own = variables({**settings, **changed})
            return programs.enter_context(
                running(
                    tmp_path,
                    *arguments,
                    terminal=terminal,
                    environment={**own, **(environment or {})},
                )
            )

        yield start


@pytest.fixture
def stored_tap(settings: dict[str, Any]) -> Tap:
    """The tap, which has no other way in than the token that the command keeps."""
    return Tap(settings)


def address(program: Program) -> str:
    """The address that the command tells the person to open."""
    return program.expect(r"(?m)^(http\S+/authorize\?\S+)$")[1]


def redirect_uri(program: Program) -> str:
    """Where the command waits for the browser."""
    port = re.search(r"redirect_uri=http%3A%2F%2Flocalhost%3A(\d+)&", address(program))
    assert port
    return f"http://localhost:{port[1]}/"


def state(program: Program) -> str:
    """The `state` of its sign-in."""
    found = re.search(r"[?&]state=([^&]+)", address(program))
    assert found
    return found[1]
