"""The tap on the command line: what it says of itself, and of what it can't do."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365 import __version__
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tests.singer import FORKED, SECONDS, Tap, begin
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

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


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "service_url"),
    "no way to sign in": ({"service_url": SERVICE}, "refresh_token"),
    "no client": (
        {"service_url": SERVICE, "refresh_token": SECRET, "token_uri": "https://host/token"},
        "client_id",
    ),
    "no name for the password": (
        {"service_url": SERVICE, "authentication_method": "ntlm", "password": SECRET},
        "ntlm_domain",
    ),
    "two ways to sign in": (
        {"service_url": SERVICE, "authentication_method": "NTLM", "azure_credential": "default"},
        "azure_credential",
    ),
    "an address that everyone can hear": (
        {"service_url": SERVICE.replace("https", "http"), "access_token": SECRET},
        "https://",
    ),
    "no such certificate": (
        {"service_url": SERVICE, "client_id": "x", "client_certificate": f"/no/{SECRET}.pem"},
        "client_certificate",
    ),
    "a wrong type": ({"service_url": SERVICE, "access_token": [SECRET]}, "access_token"),
    "no connection URL": ({"connection_url": f"jdbc:oracle:Password={SECRET}"}, "connection_url"),
    "an unknown property": (
        {"connection_url": f"jdbc:datadirect:dynamics365:ClientSecrt={SECRET}"},
        "ClientSecrt",
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_configuration_that_can_not_work_is_refused_in_one_sentence(reason: str) -> None:
    config, named = REFUSED[reason]
    check_refusal(Tap(config), named)


@pytest.mark.parametrize("option", ["--discover", "--test"])
@pytest.mark.parametrize("reason", ["nothing", "a wrong type"])
def test_it_is_refused_by_each_command(option: str, reason: str) -> None:
    config, named = REFUSED[reason]
    check_refusal(Tap(config), named, option)


def check_refusal(tap: Tap, named: str, *options: str) -> None:
    """Check that a run ends at once, with the setting named and nothing else to be seen."""
    run = tap.run(*options)
    assert run.status == 1
    assert run.output == ""
    assert "Traceback" not in run.log
    assert SECRET not in run.log
    (line,) = (line for line in run.log.splitlines() if "INFO" not in line)
    assert "ERROR" in line
    assert named in line


def test_settings_may_come_from_the_environment(tmp_path: Path) -> None:
    environment = {"TAP_DYNAMICS365_SERVICE_URL": SERVICE, "TAP_DYNAMICS365_START_DATE": "soon"}
    tap = Tap({}, {**environment, "TAP_DYNAMICS365_ACCESS_TOKEN": SECRET})
    process = tap.start(tmp_path, "--config=ENV", "--discover")
    output, log = process.communicate(timeout=60)
    assert (process.returncode, output) == (1, b"")
    assert b"start_date" in log
    assert SECRET.encode() not in log


def test_what_has_no_effect_in_the_connection_url_is_said_once_on_stderr() -> None:
    url = (
        "jdbc:datadirect:dynamics365:ServiceURL=https://org.api.crm.dynamics.com/api/data/v9.2/;"
        f"AccessToken={SECRET};SpyAttributes=x;MaxPooledStatements=0"
    )
    run = Tap({"connection_url": url}).run(catalog={"streams": []})
    assert run.status == 0
    assert run.log.count("SpyAttributes, MaxPooledStatements") == 1
    assert SECRET not in run.log + run.output


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
