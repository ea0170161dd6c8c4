"""Fixtures of the login tests: the command with settings for the sandbox."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.login.program import Program, device_code, running, variables
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.client import Sandbox


@pytest.fixture
def settings(service: Sandbox, tmp_path: Path) -> dict[str, Any]:
    """The settings of the command for the sandbox, with a public client."""
    return {
        "service_url": service.service_url,
        "token_uri": service.announced["token_uri"],
        "client_id": service.announced["public_client_id"],
        "token_store": str(tmp_path / "token.json"),
    }


@pytest.fixture
def login(tmp_path: Path, settings: dict[str, Any]) -> Iterator[Callable[..., Program]]:
    """A function that starts the command with the settings in its environment, as Meltano does.

    Keyword arguments change settings; None removes one.
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
def devices(service: Sandbox) -> Iterator[Sandbox]:
    """The sandbox with device codes that are polled every second."""
    before = service.configure(device_code_interval=1)
    yield service
    service.configure(**before)


@pytest.fixture
def sign_in(login: Callable[..., Program], devices: Sandbox) -> Callable[..., Program]:
    """A function that runs the command while a person signs in on another device."""

    def run(*arguments: str, **settings: Any) -> Program:
        program = login("--device-code", *arguments, **settings)
        devices.approve_device(device_code(program))
        assert program.end() == 0, program.shown
        return program

    return run


@pytest.fixture
def stored_tap(settings: dict[str, Any]) -> Tap:
    """The tap, whose only credential is the token that the command stores."""
    return Tap(settings)
