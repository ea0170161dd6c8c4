"""The table of settings, and the class `Settings`, which is compared with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest

from tap_dynamics365.settings import NOT_A_FIELD, Settings
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.settings.table import GROUPS, SETTINGS

if TYPE_CHECKING:
    from tap_dynamics365.settings.setting import Setting

FIELDS = {each.name: each for each in dataclasses.fields(Settings)}
TYPES = get_type_hints(Settings, localns={"Mapping": Mapping})
# What `Settings` has besides the settings.
RESULTS = {"grant", "url_options", "ignored", "unknown", "is_completed"}

#: Secrets are listed here once more, so that none loses its mark by mistake.
SECRETS = [
    "access_token",
    "client_certificate",
    "client_certificate_password",
    "client_secret",
    "connection_url",
    "password",
    "proxy_password",
    "refresh_token",
]


def annotation(setting: Setting) -> object:
    """The type of the field for a setting."""
    types: dict[str, Any] = {
        "string": type(setting.choices[0]) if setting.choices else str,
        "integer": int,
        "boolean": bool,
        "array": tuple[str, ...],
        "object": Mapping[str, str],
    }
    annotated = types[setting.type]
    has_value = setting.name == "service_url" or setting.type in {"array", "object"}
    return annotated if has_value or setting.default is not None else annotated | None


def test_table_has_each_setting_once() -> None:
    assert len(SETTINGS) == sum(len(group) for group in GROUPS.values())


def test_fields_of_settings_are_those_of_the_table_in_order() -> None:
    expected = [name for name in SETTINGS if name not in NOT_A_FIELD]
    assert [name for name in FIELDS if name not in RESULTS] == expected
    assert set(SETTINGS) >= NOT_A_FIELD


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in RESULTS])
def test_field_of_settings_has_the_type_of_the_table(name: str) -> None:
    assert TYPES[name] == annotation(SETTINGS[name])


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in RESULTS])
def test_field_of_settings_is_in_the_repr_unless_it_is_secret(name: str) -> None:
    assert FIELDS[name].repr is not SETTINGS[name].is_secret


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_default_of_the_table_fits_its_own_schema(setting: Setting) -> None:
    assert setting.convert(setting.default) in [setting.default, (), {}, None]
    if setting.choices and setting.default is not None:
        assert setting.choice(str(setting.default)) == setting.default
    if setting.minimum is not None and setting.default is not None:
        assert int(setting.default) >= setting.minimum
    # One of the two, or neither: the documentation has one column for both.
    assert setting.default is None or not setting.without_value


@pytest.mark.parametrize("name", CONFIG_SCHEMA["properties"])
def test_setting_in_the_schema_has_a_title_and_a_description(name: str) -> None:
    declared = CONFIG_SCHEMA["properties"][name]
    assert declared["title"].strip()
    assert declared["description"].strip().endswith(".")


def test_secrets_in_the_schema_are_those_listed() -> None:
    marked = [name for name, p in CONFIG_SCHEMA["properties"].items() if p.get("secret")]
    assert sorted(marked) == SECRETS


def test_schema_requires_no_setting_because_the_connection_url_may_have_it() -> None:
    assert not CONFIG_SCHEMA.get("required")
