"""README.md says what is so."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from tap_dynamics365.settings import JSON_SCHEMA, Settings, connection_url
from tap_dynamics365.tap import TapDynamics365
from tests.documents import slug
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

README = (REPOSITORY / "README.md").read_text()

BLOCKS = re.findall(r"^ *```(\w+)\n(.*?)^ *```$", README, re.MULTILINE | re.DOTALL)
CODE = "\n".join(
    [
        *re.findall(r"(?<!`)`([^`\n]+)`(?!`)", README),
        *re.findall(r"^ {4}.*$", README, re.MULTILINE),
        *(content for _, content in BLOCKS),
    ]
)
LINKS = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
SETTINGS = README.partition("\n## Settings\n")[2].partition("\n## ")[0]

PARSERS: dict[str, Callable[[str], Any]] = {"json": json.loads, "yaml": yaml.safe_load}
PARSED = [PARSERS[kind](content) for kind, content in BLOCKS if kind in PARSERS]


def about() -> dict[str, Any]:
    """The settings that `tap-dynamics365 --about` names, with what it says of them."""
    output = CliRunner().invoke(TapDynamics365.cli, ["--about", "--format=json"]).stdout
    properties: dict[str, Any] = json.loads(output)["settings"]["properties"]
    return properties


def rows() -> list[list[str]]:
    """The cells of the table of settings."""
    lines = [line for line in SETTINGS.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_settings_has_every_setting_once_and_no_other() -> None:
    names = [name for first, *_ in rows() for name in re.findall(r"`(\w+)`", first)]
    assert sorted(names) == sorted(about())


def test_the_table_of_settings_has_the_drivers_names_and_the_defaults() -> None:
    known = about()
    properties = {setting: name for name, setting in connection_url.MIRRORED.items()}
    for first, driver, default, _ in rows():
        names = re.findall(r"`(\w+)`", first)
        if names == ["connection_url"]:
            continue
        for name in names:
            assert driver == properties.get(name, ""), name
            if (value := known[name].get("default")) is not None:
                assert default == (value if isinstance(value, str) else json.dumps(value)), name


@pytest.mark.parametrize(
    ("words", "properties"),
    [
        ("No effect", connection_url.WITHOUT_EFFECT),
        ("Refused for now", connection_url.NOT_SUPPORTED),
    ],
)
def test_properties_of_the_driver_are_sorted_as_the_tap_sorts_them(
    words: str, properties: set[str]
) -> None:
    (listed,) = re.findall(rf"^- {words}[^:]*:([^.]*)\.", SETTINGS, re.MULTILINE)
    assert {name.strip() for name in listed.split(",")} == set(properties)


def test_examples_of_settings_can_be_used() -> None:
    (config,) = (value for value in PARSED if "service_url" in value)
    (plugin,) = next(v for v in PARSED if "plugins" in v)["plugins"]["extractors"]
    (url,) = re.findall(rf"^ {{4}}({connection_url.PREFIX}.*)$", README, re.MULTILINE)
    for example in (config, {**config, **plugin["config"]}, {"connection_url": url}):
        assert set(example) <= set(about())
        settings = Settings.from_config(example, JSON_SCHEMA, for_login=True)
        assert settings.refresh_token or settings.token_store


def test_blocks_can_be_read() -> None:
    assert {kind for kind, _ in BLOCKS} == {"json", "sh", "yaml"}
    assert all(PARSED)


def test_every_target_of_make_exists() -> None:
    named = set(re.findall(r"\bmake ([a-z]\w*)", CODE))
    there = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "sandbox", "test"} <= named <= there


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_every_link_within_the_repository_leads_somewhere(link: str) -> None:
    path, _, anchor = link.partition("#")
    assert (REPOSITORY / path).exists()
    if anchor:
        text = (REPOSITORY / (path or "README.md")).read_text()
        assert anchor in map(slug, re.findall(r"^#+ (.*)$", text, re.MULTILINE))
