"""docs/authentication.md, compared with the settings, the commands and the error codes."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from dotenv import dotenv_values

from tap_dynamics365.auth.refusals import ADVICE, TRANSIENT_CODES
from tap_dynamics365.auth.tenant import SIGN_IN_HOSTS
from tap_dynamics365.login.command import login
from tap_dynamics365.login.config import DEFAULT_STORE, QUESTIONS
from tap_dynamics365.settings import JSON_SCHEMA, Grant, Settings
from tap_dynamics365.settings.choices import AzureCredential
from tap_dynamics365.tap import TapDynamics365
from tests.documents import Document
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

PAGE = Document(REPOSITORY / "docs" / "authentication.md")
TEXT = PAGE.text
SECTIONS = PAGE.sections
GRANTS = {
    "The login command": Grant.REFRESH_TOKEN,
    "Refresh token": Grant.REFRESH_TOKEN,
    "Client secret": Grant.CLIENT_SECRET,
    "Client certificate": Grant.CLIENT_CERTIFICATE,
    "Azure credential": Grant.AZURE,
    "Access token": Grant.ACCESS_TOKEN,
    "NTLM": Grant.NTLM,
    "Basic": Grant.BASIC,
    "Proxy": Grant.CLIENT_SECRET,
    "National clouds": Grant.CLIENT_SECRET,
}


def test_example_of_each_grant_exists() -> None:
    assert {title for title in SECTIONS if PAGE.blocks(title, "json")} == set(GRANTS)
    assert set(GRANTS.values()) == set(Grant)


@pytest.mark.parametrize("section", GRANTS)
def test_examples_of_a_way_to_sign_in_are_accepted(section: str, tmp_path: Path) -> None:
    (as_json,), (as_variables,) = PAGE.blocks(section, "json"), PAGE.blocks(section, "dotenv")
    config: dict[str, Any] = json.loads(as_json)
    assert dotenv_values(stream=StringIO(as_variables)) == {
        f"TAP_DYNAMICS365_{name.upper()}": str(value) for name, value in config.items()
    }
    if "token_store" in config:
        assert config["token_store"] == DEFAULT_STORE
        # As after a sign-in.
        store = tmp_path / "token.json"
        store.write_text("{}")
        config["token_store"] = str(store)
    assert Settings.from_config(config, JSON_SCHEMA).grant is GRANTS[section]


def test_settings_in_the_page_exist_and_none_is_missing() -> None:
    known = JSON_SCHEMA["properties"]
    assert PAGE.settings <= {*known, *AzureCredential, "user_impersonation", "pip_url"}
    sign_in = [name for name in known if list(known).index(name) < list(known).index("start_date")]
    assert {name for name in sign_in if name not in TEXT} == {"connection_url"}


def test_azure_credentials_in_the_page_are_those_of_the_tap() -> None:
    listed = re.findall(r"^- `(\w+)`:", SECTIONS["Azure credential"], re.MULTILINE)
    assert sorted(listed) == sorted(AzureCredential)


def test_order_of_precedence_in_the_page_is_that_of_the_tap() -> None:
    (listed,) = re.findall(r"the first of these is used:(.*?)\.\n", TEXT, re.DOTALL)
    names = [name for name in re.findall(r"`([\w=]+)`", listed) if name != "token_store"]
    assert names == [grant.value for grant in Grant]


def test_error_codes_in_the_page_are_known_to_the_tap() -> None:
    codes = {int(code) for code in re.findall(r"AADSTS(\d+)", TEXT)}
    assert codes <= {*ADVICE, *TRANSIENT_CODES}


def test_sign_in_hosts_in_the_page_are_accepted_by_the_tap() -> None:
    listed = set(re.findall(r"`(login\.[\w.]+)`", SECTIONS["National clouds"]))
    assert listed
    assert listed <= SIGN_IN_HOSTS


def test_options_in_the_page_are_those_of_the_commands() -> None:
    known = {
        option
        for command in (login, TapDynamics365.cli)
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    named = {
        option
        for code in (*PAGE.code, *re.findall(r"^ {4}\$ (.*)$", TEXT, re.MULTILINE))
        for option in re.findall(r"(?<!\S)(--[a-z-]+)", code)
    }
    assert named
    assert named <= known
    own = {option for parameter in login.params for option in parameter.opts if len(option) > 2}
    assert own - named == {"--version"}


def test_questions_in_the_page_are_those_of_the_command() -> None:
    for name, question in QUESTIONS.items():
        assert f"{question} ({name})" in TEXT
