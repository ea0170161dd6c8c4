"""hub/tap-dynamics365.yml: the definition for MeltanoHub, in the Hub's form."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from tap_dynamics365.settings import Grant
from tap_dynamics365.settings.table import SETTINGS
from tests.settings.configs import VALUES, read
from tools import hub
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMAS = Path(__file__).with_name("schemas")
TEXT = hub.DEFINITION.read_text(encoding="utf-8")
DEFINITION: dict[str, Any] = yaml.safe_load(TEXT)
BY_NAME: dict[str, dict[str, Any]] = {each["name"]: each for each in DEFINITION["settings"]}


def schema(uri: str) -> Resource[Any]:
    """Read one of the Hub's schemas. Its folders are not kept."""
    text = (SCHEMAS / PurePosixPath(uri).name).read_text(encoding="utf-8")
    return Resource.from_contents(json.loads(text))


def nodes(node: yaml.Node) -> Iterator[yaml.Node]:
    """A node of YAML, and all nodes within it."""
    yield node
    for part in node.value if isinstance(node, yaml.CollectionNode) else ():
        for inner in part if isinstance(part, tuple) else (part,):
            yield from nodes(inner)


def test_definition_is_what_make_hub_writes() -> None:
    assert hub.text() == TEXT, "hub/tap-dynamics365.yml is out of date: run `make hub`"


def test_definition_is_valid_by_the_schema_of_the_hub() -> None:
    registry: Registry[Any] = Registry(retrieve=schema)
    validator = Draft7Validator(schema("extractors.schema.json").contents, registry=registry)
    assert not [*validator.iter_errors(DEFINITION)]
    assert [*validator.iter_errors({**DEFINITION, "use_cached_catalog": False})]
    assert [*validator.iter_errors({**DEFINITION, "quality": "invented"})]
    assert [*validator.iter_errors({**DEFINITION, "settings": [{"name": "x", "default": 1}]})]


def test_definition_has_the_form_of_the_hub() -> None:
    """Keys are sorted, sequences are not indented, and no collection is in flow style."""
    document = yaml.compose(TEXT)
    assert document
    for node in nodes(document):
        if isinstance(node, yaml.CollectionNode):
            assert not node.value or not node.flow_style
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert keys == sorted(keys)
            for key, value in node.value:
                if isinstance(value, yaml.SequenceNode):
                    assert value.start_mark.column == key.start_mark.column
    assert [*BY_NAME] == sorted(BY_NAME)


def test_definition_has_what_the_hub_shows() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (DEFINITION["name"], DEFINITION["namespace"]) == ("tap-dynamics365", "tap_dynamics365")
    assert DEFINITION["pip_url"] == DEFINITION["executable"] == project["name"]
    assert DEFINITION["repo"] == project["urls"]["Repository"]
    assert DEFINITION["variant"] == DEFINITION["repo"].split("/")[-2]
    assert DEFINITION["maintenance_status"] == "beta"
    assert DEFINITION["quality"] == "unknown"
    assert DEFINITION["log_parser"] == "singer-sdk"
    assert "meltano_sdk" in DEFINITION["keywords"]
    assert {"log-based", "structured-logging"} <= {*DEFINITION["capabilities"]}
    assert "3.14" in DEFINITION["supported_python_versions"]
    assert "_use_cached_catalog false" in DEFINITION["next_steps"]
    for extra in project["optional-dependencies"]:
        assert f"`{extra}`" in DEFINITION["next_steps"]
    assert DEFINITION["commands"]["login"]["executable"] in project["scripts"]


def test_definition_has_no_path_of_a_machine() -> None:
    assert str(REPOSITORY) not in TEXT
    assert not re.search(r"(?<![\w.>/])/(home|root|tmp|work|Users)/", TEXT)


def test_secrets_in_the_definition_are_passwords_and_nothing_else_is() -> None:
    secret = {name for name, setting in SETTINGS.items() if setting.is_secret}
    assert {"client_certificate", "connection_url"} <= secret
    assert {name for name, each in BY_NAME.items() if each["kind"] == "password"} == secret
    assert {name for name, each in BY_NAME.items() if each.get("sensitive")} == secret
    assert not secret & {"client_id", "token_uri", "token_store"}


def test_closed_choices_in_the_definition_are_options() -> None:
    offered = {
        name: tuple(option["value"] for option in each["options"])
        for name, each in BY_NAME.items()
        if "options" in each
    }
    assert offered == {name: each.choices for name, each in SETTINGS.items() if each.choices}
    assert offered["replication_method"] == ("INCREMENTAL", "LOG_BASED")


@pytest.mark.parametrize("name", BY_NAME)
def test_description_in_the_definition_begins_with_a_word(name: str) -> None:
    """The Hub's own tools mangle a description that begins with a backtick."""
    assert re.match(r"'?[A-Z]", BY_NAME[name]["description"])


def test_groups_in_the_definition_select_each_way_to_sign_in(tmp_path: Path) -> None:
    store = tmp_path / "token.json"
    store.write_text("{}")
    values = {**VALUES, "token_store": str(store)}
    groups = DEFINITION["settings_group_validation"]
    assert all(group == sorted(group) for group in groups)
    chosen = []
    for group in groups:
        config = {name: values[name] for name in group}
        if "user" in config and "ntlm_domain" not in config:
            config["authentication_method"] = "Basic"
        chosen.append(read(**config).grant)
    assert {*chosen} == {*Grant}
