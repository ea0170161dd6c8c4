"""meltano.yml: compared with the settings of the tap, and read by Meltano."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tap_dynamics365.settings import Grant
from tap_dynamics365.tap import TapDynamics365
from tests.settings.configs import VALUES, read
from tools import hub
from tools.meltano import Project
from tools.repository import REPOSITORY


@pytest.fixture(scope="module")
def about() -> dict[str, Any]:
    """The output of `tap-dynamics365 --about --format=json`."""
    runner = CliRunner()
    result = runner.invoke(TapDynamics365.cli, ["--about", "--format=json"])
    about: dict[str, Any] = json.loads(result.stdout)
    return about


@pytest.fixture(scope="module")
def plugins() -> dict[str, dict[str, Any]]:
    """The plugins that meltano.yml defines, by name."""
    definition = yaml.safe_load((REPOSITORY / "meltano.yml").read_text())
    return {plugin["name"]: plugin for kind in definition["plugins"].values() for plugin in kind}


def kind(schema: dict[str, Any]) -> str:
    """Meltano's word for the type of a setting."""
    if schema.get("format") == "date-time":
        return "date_iso8601"
    if "enum" in schema:
        return "options"
    (name,) = {schema["type"]} if isinstance(schema["type"], str) else {*schema["type"]} - {"null"}
    return str(name)


def meltano_setting(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A setting of the tap in the format of meltano.yml."""
    setting = {
        "name": name,
        "label": schema["title"],
        "kind": kind(schema),
        "description": schema["description"],
    }
    if schema.get("secret"):
        setting["sensitive"] = True
    if "enum" in schema:
        setting["options"] = [value for value in schema["enum"] if value is not None]
    if schema.get("default") is not None:
        setting["value"] = schema["default"]
    return setting


def test_settings_in_meltano_yml_are_those_of_the_tap(
    about: dict[str, Any], plugins: dict[str, dict[str, Any]]
) -> None:
    """Names, titles, descriptions, types, defaults, secrecy, and order."""
    settings = [
        # The tap has no labels for options.
        {**setting, "options": [option["value"] for option in setting["options"]]}
        if "options" in setting
        else setting
        for setting in plugins["tap-dynamics365"]["settings"]
    ]
    assert settings == [
        meltano_setting(name, schema) for name, schema in about["settings"]["properties"].items()
    ]


def test_capabilities_in_meltano_yml_are_those_of_the_tap(
    about: dict[str, Any], plugins: dict[str, dict[str, Any]]
) -> None:
    assert plugins["tap-dynamics365"]["capabilities"] == about["capabilities"]


def test_plugins_in_meltano_yml_are_complete_without_the_hub(
    plugins: dict[str, dict[str, Any]],
) -> None:
    assert set(plugins) == {"tap-dynamics365", "target-postgres", "target-jsonl"}
    for plugin in plugins.values():
        assert {"namespace", "pip_url", "executable", "settings"} <= set(plugin)


def test_groups_in_meltano_yml_select_each_grant(
    plugins: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    store = tmp_path / "token.json"
    store.write_text("{}")
    values = {**VALUES, "token_store": str(store)}
    groups = plugins["tap-dynamics365"]["settings_group_validation"]
    assert sorted(map(sorted, groups)) == hub.groups()
    configs = [{name: values[name] for name in group} for group in groups]
    for config in configs:
        if "user" in config and "ntlm_domain" not in config:
            config["authentication_method"] = "Basic"
    assert {read(**config).grant for config in configs} == set(Grant)


def test_variables_in_secrets_example_are_settings(plugins: dict[str, dict[str, Any]]) -> None:
    """All secrets and required settings are there, and no unknown names."""
    named = {
        line.lstrip("#").split("=", 1)[0]
        for line in (REPOSITORY / ".secrets.example").read_text().splitlines()
        if line.lstrip("#").startswith(("TAP_", "TARGET_"))
    }
    known = {
        f"{plugin['namespace']}_{setting['name']}".upper(): setting
        for plugin in plugins.values()
        for setting in plugin["settings"]
    }
    tap = plugins["tap-dynamics365"]
    secret = {
        f"{tap['namespace']}_{setting['name']}".upper()
        for setting in tap["settings"]
        if setting.get("sensitive")
    }
    needed = {
        f"{tap['namespace']}_{name}".upper()
        for group in tap["settings_group_validation"]
        for name in group
    }
    assert named <= set(known)
    assert secret | needed <= named


def test_meltano_yml_is_read_without_a_warning(
    meltano: Callable[[dict[str, str]], Project],
) -> None:
    """Meltano has the defaults of the tap."""
    output = meltano({}).run("config", "print", "tap-dynamics365").output
    assert '"level": "warning"' not in output
    config, _ = json.JSONDecoder().raw_decode(output[output.index("{\n") :])
    assert (config["fetch_size"], config["ws_timeout"]) == (5000, 300)
    # A default would hide the warning of the tap.
    assert config.get("cross_company") is None
