"""Fixtures of the tests of the page: a sandbox, and the command, for a whole module."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import client as sandboxes
from tests.configure.client import Client, client_of
from tests.login.program import Program, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox

#: Secrets that the sign-in of the sandbox does not use.
OTHER_SECRETS = {
    "password": "invented-password",
    "client_certificate_password": "invented-passphrase",
    "access_token": "invented-access-token",
}
COMMAND = ("-m", "tap_dynamics365.commands")


@contextmanager
def configuring(
    folder: Path, settings: dict[str, Any], *arguments: str, **options: Any
) -> Iterator[Program]:
    """Run `dynamics365 configure` with a configuration file.

    Args:
        folder: The working directory.
        settings: The content of the file.
        *arguments: The rest of the command line.
        **options: Options of `running`.
    """
    file = folder / "config.json"
    file.write_text(json.dumps(settings))
    given = ("configure", "--config", str(file), *arguments)
    with running(folder, *given, command=COMMAND, **options) as program:
        yield program


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the project."""
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def own_sandbox() -> Iterator[Sandbox]:
    """A sandbox for the module, which its tests may change."""
    with sandboxes.running(rows=500) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def program(place: Path, own_sandbox: Sandbox) -> Iterator[Program]:
    """The command, with the settings of the sandbox and secrets of other ways to sign in."""
    with configuring(place, {**own_sandbox.settings, **OTHER_SECRETS}) as running_program:
        yield running_program


@pytest.fixture(scope="module")
def client(program: Program) -> Client:
    """A browser that has opened the page."""
    opened = client_of(program)
    assert opened.open().status == 303
    return opened
