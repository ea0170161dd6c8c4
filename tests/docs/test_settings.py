"""docs/settings.md and docs/driver-properties.md, compared with the table of settings."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from tap_dynamics365.settings import JSON_SCHEMA, Settings, connection_url
from tap_dynamics365.settings.config_schema import CONFIG_SCHEMA
from tap_dynamics365.settings.table import GROUPS, SETTINGS
from tests.documents import Document
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from tap_dynamics365.settings.setting import Setting

PAGE = Document(REPOSITORY / "docs" / "settings.md")
PROPERTIES = Document(REPOSITORY / "docs" / "driver-properties.md")
SDK_SECTION = "Stream maps and flattening"


def rows(section: str) -> list[list[str]]:
    """The rows of the tables in a section, without headers."""
    lines = [line for line in section.splitlines() if re.match(r"\| `?[A-Za-z_]+`? \|", line)]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] not in {"Setting", "Property"}]


def type_cell(setting: Setting) -> str:
    """What the documentation says of the type of a setting."""
    name = "date" if setting.format == "date-time" else setting.type
    if setting.is_secret:
        return f"{name}, secret"
    if setting.minimum is None:
        return name
    if setting.maximum is None:
        return f"{name}, {setting.minimum} or more"
    return f"{name}, {setting.minimum} to {setting.maximum}"


def row(setting: Setting) -> list[str]:
    """The row of a setting in the documentation."""
    default = setting.without_value
    if setting.default is not None:
        text = setting.default if isinstance(setting.default, str) else json.dumps(setting.default)
        default = f"`{text}`"
    return [
        f"`{setting.name}`",
        setting.driver_property,
        type_cell(setting),
        default,
        setting.description,
    ]


@pytest.mark.parametrize("group", GROUPS)
def test_group_in_the_documentation_has_the_rows_of_the_table(group: str) -> None:
    assert rows(PAGE.sections[group]) == [row(setting) for setting in GROUPS[group]]


def test_settings_of_the_sdk_in_the_documentation_are_those_of_the_schema() -> None:
    properties = CONFIG_SCHEMA["properties"]
    expected = [
        [f"`{name}`", *({*declared["type"]} - {"null"})]
        for name, declared in properties.items()
        if name not in SETTINGS
    ]
    assert [cells[:2] for cells in rows(PAGE.sections[SDK_SECTION])] == expected


def test_table_in_the_documentation_is_only_of_groups_that_exist() -> None:
    tables = {title for title, text in PAGE.sections.items() if rows(text)}
    assert tables == {*GROUPS, SDK_SECTION}


def test_settings_named_in_the_documentation_exist() -> None:
    assert PAGE.settings <= {*CONFIG_SCHEMA["properties"], "user_impersonation"} | set(
        SETTINGS["azure_credential"].choices
    )
    assert PROPERTIES.settings <= set(SETTINGS)


def test_connection_url_in_the_documentation_is_accepted() -> None:
    (url,) = re.findall(rf"^ {{4}}({connection_url.PREFIX}.*)$", PAGE.text, re.MULTILINE)
    assert Settings.from_config({"connection_url": url}, JSON_SCHEMA).refresh_token


def test_mirrored_properties_in_the_documentation_are_those_of_the_table() -> None:
    expected = {name: f"`{setting}`" for name, setting in connection_url.MIRRORED.items()}
    assert {name: cell for name, cell, *_ in rows(PROPERTIES.sections["Mirrored"])} == expected


def test_properties_without_effect_in_the_documentation_are_those_of_the_code() -> None:
    listed = [name for name, *_ in rows(PROPERTIES.sections["Without effect"])]
    assert listed == sorted(connection_url.WITHOUT_EFFECT)


def test_settings_without_a_property_in_the_documentation_are_those_of_the_table() -> None:
    named = re.findall(r"`(\w+)`", PROPERTIES.sections["Settings without a property"])
    own = [name for name, each in SETTINGS.items() if not each.driver_property]
    assert sorted(named) == sorted(name for name in own if name != "connection_url")


def test_schema_for_an_editor_accepts_the_example_and_refuses_another_type() -> None:
    """What `--about` prints as `settings`: see singer/test_command_line.py."""
    (example,) = Document(REPOSITORY / "README.md").blocks(
        "Your first rows in five minutes", "json"
    )
    # The SDK's own part, stream_maps, is no valid schema: it has "null" in place of a schema.
    Draft202012Validator.check_schema(JSON_SCHEMA)
    validator = Draft202012Validator(CONFIG_SCHEMA)
    validator.validate(json.loads(example))
    assert [*validator.iter_errors({"tables": "account"})]
