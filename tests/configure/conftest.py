"""Fixtures of the tests of the page: a sandbox, and the command, for a whole module."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from sandbox import client as sandboxes
from tests.configure.client import Client, client_of, until
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
    folder: Path,
    settings: dict[str, Any],
    *arguments: str,
    command: tuple[str, ...] = COMMAND,
    **options: Any,
) -> Iterator[Program]:
    """Run `dynamics365 configure` with a configuration file.

    Args:
        folder: The working directory.
        settings: The content of the file.
        *arguments: The rest of the command line.
        command: The beginning of the command line.
        **options: Options of `running`.
    """
    file = folder / "config.json"
    file.write_text(json.dumps(settings))
    given = ("configure", "--config", str(file), *arguments)
    with running(folder, *given, command=command, **options) as program:
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


def checks(client: Client) -> dict[str, tuple[str, str]]:
    """Wait for the checks, and return how each ended and its words."""
    until(lambda: "Checking." not in client.get("/connect/checks").text)
    text = client.get("/connect/checks").text
    lines = re.findall(
        r'aria-label="([\w ]+)"></span>\s*<div><strong>(.*?)</strong> <span>(.*?)<', text
    )
    return {name: (status, words) for status, name, words in lines}


def redirect(client: Client, own_sandbox: Sandbox, form: dict[str, str]) -> str:
    """Sign a person in, and return where the sign-in host leads the browser back to."""
    shown = client.post("/connect/sign-in", form)
    found = re.search(r'content="0;url=([^"]+)"', shown.text)
    assert found, shown.notices
    address = urlsplit(found[1].replace("&amp;", "&"))
    assert parse_qs(address.query)["redirect_uri"] == [f"http://localhost:{client.port}"]
    connection = HTTPConnection(urlsplit(own_sandbox.url).netloc, timeout=60)
    content = urlencode({"answer": "sign-in"})
    connection.request("POST", f"{address.path}?{address.query}", content)
    back = urlsplit(connection.getresponse().headers["Location"])
    connection.close()
    return f"{back.path}?{back.query}"


def signed_in(client: Client, own_sandbox: Sandbox, form: dict[str, str]) -> Client:
    """Sign a person in, as a browser does without the cookie on the way back."""
    back = redirect(client, own_sandbox, form)
    cross_site: dict[str, str | None] = {"Cookie": None, "Sec-Fetch-Site": "cross-site"}
    answer = client.send("GET", back, headers=cross_site)
    assert (answer.status, "The sign-in has ended" in answer.text) == (200, True)
    # The code can't be sent again.
    assert client.send("GET", back, headers={"Cookie": None}).status == 400
    return client


@pytest.fixture
def person(own_sandbox: Sandbox) -> dict[str, str]:
    """The fields of a person who has not signed in."""
    announced = own_sandbox.announced
    return {
        "way": "person",
        "service_url": own_sandbox.service_url,
        "token_uri": announced["token_uri"],
        "client_id": announced["public_client_id"],
        "remove.client_secret": "on",
        "client_secret": "",
        "remove.refresh_token": "on",
        "refresh_token": "",
    }
