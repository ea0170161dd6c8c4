"""Options of the command line that print information: --version, --help, --about."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from tap_dynamics365 import __version__
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tests.settings.test_table import SECRETS
from tests.tap import FORKED, SECONDS, begin
from tools.repository import REPOSITORY

SETTINGS = list(CONFIG_SCHEMA["properties"])
SERVICE = "https://org.api.crm.dynamics.com/api/data/v9.2/"
SECRET = "s3cr3t~of/mine"  # noqa: S105 - an invented one


@cache
def told(*options: str) -> str:
    """Run the tap with an option that prints information, and return its output."""
    with begin(FORKED, options, cwd=REPOSITORY) as process:
        output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    return output.decode()


@cache
def about() -> dict[str, Any]:
    """The output of `--about` in JSON."""
    document: dict[str, Any] = json.loads(told("--about", "--format=json"))
    return document


def test_version_option_prints_the_version() -> None:
    assert __version__ in told("--version")


def test_help_option_prints_the_options() -> None:
    for option in ("--config", "--discover", "--catalog", "--state", "--about", "--test"):
        assert option in told("--help")


@pytest.mark.parametrize("setting", SETTINGS)
def test_about_option_prints_each_setting_in_each_format(setting: str) -> None:
    declared = CONFIG_SCHEMA["properties"][setting]
    assert f"Name: {setting}\n" in told("--about")
    assert f"| {setting} |" in told("--about", "--format=markdown")
    assert declared["description"] in told("--about", "--format=markdown")
    listed = about()["settings"]["properties"][setting]
    assert listed["title"] == declared["title"]
    assert listed["description"] == declared["description"]
    assert listed.get("default") == declared.get("default")


def test_about_option_marks_only_secrets_as_secret() -> None:
    properties = about()["settings"]["properties"]
    assert {name for name, declared in properties.items() if declared.get("secret")} == {*SECRETS}


def test_about_option_describes_each_setting_of_the_sdk() -> None:
    for declared in about()["settings"]["properties"].values():
        assert declared["title"]
        assert declared["description"]


def test_about_option_prints_ascii_for_terminals_of_any_encoding() -> None:
    assert told("--about", "--format=markdown").isascii()


def test_about_option_prints_name_version_and_capabilities() -> None:
    assert about()["name"] == "tap-dynamics365"
    assert about()["version"] == __version__
    assert {"catalog", "discover", "state", "about"} <= set(about()["capabilities"])
    assert "batch" not in about()["capabilities"]
    assert "batch_config" not in about()["settings"]["properties"]


LEAN = """
import json, sys
from tap_dynamics365.connection import connect
from tap_dynamics365.settings import JSON_SCHEMA, Settings
for settings in json.loads(sys.argv[1]):
    connect(Settings.from_config(settings, JSON_SCHEMA)).client
    print([name for name in sys.argv[2:] if name in sys.modules])
"""


def test_service_of_one_grant_does_not_import_packages_of_others() -> None:
    """Importing them takes a large part of a second."""
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
