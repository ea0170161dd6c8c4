"""Settings on the command line: what is refused ends a run in one sentence, before any request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.settings.configs import OFFLINE, SECRET, SERVICE
from tests.tap import EXECUTABLE, Tap

PREFIX = "TAP_DYNAMICS365_"
URL = "jdbc:datadirect:dynamics365:"

#: Configurations that are refused, and a word of the message.
MISSING = ({"service_url": SERVICE, "refresh_token": SECRET}, "client_id")
MISSPELT = ({**OFFLINE, "client_secrt": SECRET}, "client_secret")
CONTRADICTORY = (
    {"service_url": SERVICE, "authentication_method": "NTLM", "azure_credential": "default"},
    "azure_credential",
)
WRONG_TYPE = ({"service_url": SERVICE, "access_token": [SECRET]}, "access_token")
IN_URL = ({"connection_url": f"{URL}ClientSecrt={SECRET}"}, "ClientSecrt")
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "service_url"),
    "no way to sign in": ({"service_url": SERVICE}, "refresh_token"),
    "no client": MISSING,
    "no user for the password": (
        {"service_url": SERVICE, "authentication_method": "ntlm", "password": SECRET},
        "ntlm_domain",
    ),
    "two ways to sign in": CONTRADICTORY,
    "a URL without encryption": (
        {"service_url": SERVICE.replace("https", "http"), "access_token": SECRET},
        "https://",
    ),
    "the URL of no environment": (
        {"service_url": "https://globaldisco.crm.dynamics.com/", "access_token": SECRET},
        "discovery service",
    ),
    "no such certificate": (
        {"service_url": SERVICE, "client_id": "x", "client_certificate": f"/no/{SECRET}.pem"},
        "client_certificate",
    ),
    "a misspelt name": MISSPELT,
    "a wrong type": WRONG_TYPE,
    "a number out of bounds": ({**OFFLINE, "fetch_size": 0}, "fetch_size"),
    "no connection URL": ({"connection_url": f"jdbc:oracle:Password={SECRET}"}, "connection_url"),
    "an unknown property": IN_URL,
}


def check_refusal(tap: Tap, named: str, *options: str) -> None:
    """Check that a run ends at once, with one line that names the setting, and nothing else."""
    run = tap.run(*options)
    assert run.status == 1
    assert run.output == ""
    assert "Traceback" not in run.log
    assert SECRET not in run.log
    (line,) = (line for line in run.log.splitlines() if "INFO" not in line)
    assert "ERROR" in line
    assert named in line


@pytest.mark.parametrize("reason", REFUSED)
def test_configuration_that_can_not_work_is_refused_in_one_sentence(reason: str) -> None:
    config, named = REFUSED[reason]
    check_refusal(Tap(config), named)


@pytest.mark.parametrize(
    ("config", "named"),
    [MISSING, MISSPELT, CONTRADICTORY, IN_URL],
    ids=["missing", "misspelt", "contradictory", "in-url"],
)
def test_configuration_is_refused_by_the_executable(config: dict[str, Any], named: str) -> None:
    check_refusal(Tap(config, command=EXECUTABLE), named)


def test_variable_is_refused_by_the_executable() -> None:
    variables = {f"{PREFIX}SERVICE_URL": SERVICE, f"{PREFIX}START_DATE": "soon"}
    tap = Tap({}, {**variables, f"{PREFIX}ACCESS_TOKEN": SECRET}, command=EXECUTABLE)
    run = tap.run("--config=ENV", "--discover")
    assert "start_date" in run.refusal()
    assert run.output == ""
    assert SECRET not in run.log


@pytest.mark.parametrize("option", ["--discover", "--test"])
@pytest.mark.parametrize(("config", "named"), [REFUSED["nothing"], WRONG_TYPE])
def test_configuration_is_refused_by_each_command(
    option: str, config: dict[str, Any], named: str
) -> None:
    check_refusal(Tap(config), named, option)


def test_property_without_effect_is_named_once_in_the_log() -> None:
    url = f"{URL}ServiceURL={SERVICE};AccessToken={SECRET};SpyAttributes=x;MaxPooledStatements=0"
    run = Tap({"connection_url": url}).run(catalog={"streams": []})
    assert run.status == 0
    assert run.log.count("SpyAttributes, MaxPooledStatements") == 1
    assert SECRET not in run.log + run.output


def test_urls_of_the_driver_are_taken_as_they_are() -> None:
    properties = (
        f"ServiceURL={SERVICE};AccessToken={SECRET};CrossCompany=false;LoginTimeout=30;"
        "LogConfigFile=ddlogging.properties;SpyAttributes=(log=(file)spy.log;linelimit=80);"
    )
    run = Tap({"connection_url": f'"{URL}{properties}";'}).run(catalog={"streams": []})
    assert run.status == 0, run.log
    assert (
        run.logged("INFO").count(
            "Without effect in connection_url: LoginTimeout, LogConfigFile, SpyAttributes."
        )
        == 1
    )
    assert run.logged("WARNING") == ["The catalog selects no table: nothing is extracted."]
