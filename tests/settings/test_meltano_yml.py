"""meltano.yml says what the tap says, and Meltano takes it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tap_dynamics365.tap import TapDynamics365
from tools.meltano import Project
from tools.repository import REPOSITORY


@pytest.fixture(scope="module")
def about() -> dict[str, Any]:
    """What `tap-dynamics365 --about --format=json` says."""
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


def as_meltano_has_it(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A setting of the tap, in the form of meltano.yml."""
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


def test_settings_are_those_of_the_tap(
    about: dict[str, Any], plugins: dict[str, dict[str, Any]]
) -> None:
    """All of them, with the same words, type, default and secrecy, in the same order."""
    settings = [
        # The labels of options are for people.
        {**setting, "options": [option["value"] for option in setting["options"]]}
        if "options" in setting
        else setting
        for setting in plugins["tap-dynamics365"]["settings"]
    ]
    assert settings == [
        as_meltano_has_it(name, schema) for name, schema in about["settings"]["properties"].items()
    ]


def test_capabilities_are_those_of_the_tap(
    about: dict[str, Any], plugins: dict[str, dict[str, Any]]
) -> None:
    """Meltano hands the tap what it can take."""
    assert plugins["tap-dynamics365"]["capabilities"] == about["capabilities"]


def test_no_plugin_is_looked_up(plugins: dict[str, dict[str, Any]]) -> None:
    """Each is complete in the file: Meltano asks its Hub for none."""
    assert set(plugins) == {"tap-dynamics365", "target-postgres", "target-jsonl"}
    for plugin in plugins.values():
        assert {"namespace", "pip_url", "executable", "settings"} <= set(plugin)


def test_examples_are_settings(plugins: dict[str, dict[str, Any]]) -> None:
    """.secrets.example has every secret and every setting that is needed, and no other."""
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


def test_meltano_takes_it(meltano: Callable[[dict[str, str]], Project]) -> None:
    """Meltano reads the file without a warning, and the defaults are the tap's."""
    output = meltano({}).run("config", "print", "tap-dynamics365").output
    assert '"level": "warning"' not in output
    config, _ = json.JSONDecoder().raw_decode(output[output.index("{\n") :])
    assert (config["fetch_size"], config["ws_timeout"]) == (5000, 300)
