"""Command line of `dynamics365 configure`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.commands.program import dynamics365
from tests.configure.client import client_of
from tests.configure.conftest import COMMAND, configuring
from tests.login.program import running, variables
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.configure.client import Client

WITHOUT_EXTRAS = REPOSITORY / ".venv-plain" / "bin" / "dynamics365"


def test_configure_without_its_extra_names_the_extra() -> None:
    if not WITHOUT_EXTRAS.exists():
        pytest.skip("no environment without extras: run `make .venv-plain/installed`")
    output = dynamics365("configure", {}, program=(str(WITHOUT_EXTRAS),))
    assert 'pip install "tap-dynamics365[configure]"' in output.refusal()


def test_settings_of_a_file_take_precedence_over_variables_and_name_their_origin(
    place: Path, own_sandbox: Sandbox
) -> None:
    environment = variables({"client_id": "from-a-variable", "user": "ada"})
    settings = own_sandbox.settings
    with configuring(place, settings, "--config", "ENV", environment=environment) as started:
        client = client_of(started)
        client.open()
        text = client.get("/connect").text
    assert f'value="{settings["client_id"]}"' in text
    assert 'Client ID <span class="origin">from config.json</span>' in text
    assert 'User <span class="origin">from environment or .env</span>' in text


def test_project_without_any_settings_opens_the_page(tmp_path: Path) -> None:
    with running(tmp_path, "configure", command=COMMAND) as started:
        client = client_of(started)
        client.open()
        assert "Setting service_url is missing" in client.get("/tables").text
        started.interrupt()
        assert started.end() == 130
        assert "Ended with Ctrl-C. Files that were written stay as they are.\n" in started.shown


def test_end_asks_before_it_loses_what_is_not_saved(tmp_path: Path) -> None:
    # The name of the folder is not UTF-8, as of a disk that came from elsewhere.
    project = tmp_path / os.fsdecode(b"caf\xe9")
    project.mkdir()
    with running(tmp_path, "configure", "--project", str(project), command=COMMAND) as started:
        client = client_of(started)
        client.open()
        assert "caf?" in client.get("/connect").text
        end = [("csrf", client.csrf)]
        client.post("/connect", {"way": "person", "client_id": "typed-invented"})
        asked = client.send("POST", "/end", end)
        assert "Not everything is saved" in asked.text
        assert asked.status == 200
        page = client.get("/save?file=config.json")
        token = re.search(r'name="shown" value="([^"]+)"', page.text)
        assert token
        written = client.post("/save", {"file": "config.json", "shown": token[1]})
        assert written.notices[0].startswith("Written: ")
        client.post("/connect", {"way": "person", "client_id": "typed-again"})
        assert "Not everything is saved" in client.send("POST", "/end", end).text
        client.post("/connect", {"way": "person", "client_id": "typed-invented"})
        assert "The page has ended" in client.send("POST", "/end", end).text
        assert started.end() == 0
    assert "typed-invented" in (project / "config.json").read_text()


def test_project_begins_with_its_own_env_and_not_that_of_the_working_folder(
    tmp_path: Path,
) -> None:
    project = tmp_path / "warehouse"
    project.mkdir()
    for folder, name in ((tmp_path, "of-the-working-folder"), (project, "of-the-project")):
        (folder / ".env").write_text(f"TAP_DYNAMICS365_CLIENT_ID={name}\n")
    given = ("configure", "--project", str(project))
    with running(tmp_path, *given, command=COMMAND) as started:
        client = client_of(started)
        client.open()
        assert 'value="of-the-project"' in client.get("/connect").text


def test_port_of_the_option_is_that_of_the_page(
    place: Path, own_sandbox: Sandbox, client: Client
) -> None:
    with configuring(place, own_sandbox.settings, "--port", str(client.port)) as started:
        assert started.end() == 1
    message = f"Port {client.port} can't be opened (Address already in use): choose another one"
    assert message in started.shown
