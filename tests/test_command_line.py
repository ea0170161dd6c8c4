"""The tap on the command line: what it says of itself, and of what it can't do."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from tap_dynamics365 import __version__
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tests.singer import FORKED, SECONDS, begin
from tools.repository import REPOSITORY

SETTINGS = list(CONFIG_SCHEMA["properties"])
SERVICE = "https://org.api.crm.dynamics.com/api/data/v9.2/"
SECRET = "s3cr3t~of/mine"  # noqa: S105 - an invented one


@cache
def told(*options: str) -> str:
    """Run the tap for what it tells of itself."""
    with begin(FORKED, options, cwd=REPOSITORY) as process:
        output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    return output.decode()


@cache
def about() -> dict[str, Any]:
    """What the tap tells of itself to a program."""
    document: dict[str, Any] = json.loads(told("--about", "--format=json"))
    return document


def test_the_version_is_told() -> None:
    assert __version__ in told("--version")


def test_the_options_are_told() -> None:
    for option in ("--config", "--discover", "--catalog", "--state", "--about", "--test"):
        assert option in told("--help")


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_is_listed_in_each_format(setting: str) -> None:
    declared = CONFIG_SCHEMA["properties"][setting]
    assert f"Name: {setting}\n" in told("--about")
    assert f"| {setting} |" in told("--about", "--format=markdown")
    assert declared["description"] in told("--about", "--format=markdown")
    listed = about()["settings"]["properties"][setting]
    assert listed["title"] == declared["title"]
    assert listed["description"] == declared["description"]
    assert listed.get("default") == declared.get("default")


SECRETS = {
    "access_token",
    "client_certificate",
    "client_certificate_password",
    "client_secret",
    "connection_url",
    "password",
    "proxy_password",
    "refresh_token",
}


def test_secrets_and_only_they_are_marked_for_other_programs() -> None:
    properties = about()["settings"]["properties"]
    assert {name for name, declared in properties.items() if declared.get("secret")} == SECRETS


def test_every_setting_of_the_sdk_is_described_too() -> None:
    for declared in about()["settings"]["properties"].values():
        assert declared["title"]
        assert declared["description"]


def test_the_tap_tells_its_name_and_what_it_can_do() -> None:
    assert about()["name"] == "tap-dynamics365"
    assert about()["version"] == __version__
    assert {"catalog", "discover", "state", "about"} <= set(about()["capabilities"])
    assert "batch" not in about()["capabilities"]
    assert "batch_config" not in about()["settings"]["properties"]


LEAN = """
import json, sys
from tap_dynamics365.odata.client import Service
from tap_dynamics365.settings import JSON_SCHEMA, Settings
for settings in json.loads(sys.argv[1]):
    Service(Settings.from_config(settings, JSON_SCHEMA))
    print([name for name in sys.argv[2:] if name in sys.modules])
"""


def test_packages_of_other_grants_are_not_loaded() -> None:
    """They would cost every start of the tap a good part of a second."""
    grants = [
        {"refresh_token": SECRET, "token_store": "/nowhere/token.json"},
        {"client_secret": SECRET},
        {"access_token": SECRET},
    ]
    configs = [{"service_url": SERVICE, "client_id": "x", **grant} for grant in grants]
    names = ["azure", "cryptography", "filelock", "jwt", "msal", "requests_ntlm", "spnego"]
    command = [sys.executable, "-c", LEAN, json.dumps(configs), *names]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    assert output == "[]\n" * len(grants)
