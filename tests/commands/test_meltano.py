"""The commands run by Meltano: `meltano invoke tap-dynamics365:check` and the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from tap_dynamics365.commands.command import dynamics365
from tests.login.program import variables
from tools.meltano import MeltanoError
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from tools.meltano import Project


def test_meltano_has_a_command_for_each_command() -> None:
    definition = yaml.safe_load((REPOSITORY / "meltano.yml").read_text(encoding="utf-8"))
    (block,) = definition["plugins"]["extractors"]
    assert block["commands"].keys() == dynamics365.commands.keys()
    hub = yaml.safe_load((REPOSITORY / "hub/tap-dynamics365.yml").read_text(encoding="utf-8"))
    assert hub["commands"] == block["commands"]
    for name in ("check", "environments", "tables", "estimate", "query", "export", "configure"):
        command = block["commands"][name]
        assert (command["executable"], command["args"]) == ("dynamics365", f"{name} --config=ENV")


def test_meltano_checks_settings_that_do_not_work(
    sandbox: Sandbox, meltano: Callable[[dict[str, str]], Project]
) -> None:
    project = meltano(variables({**sandbox.settings, "client_secret": "wrong"}))
    with pytest.raises(MeltanoError) as ended:
        project.run("invoke", "tap-dynamics365:check", "--config=ENV")
    output = str(ended.value)
    assert "✗ sign-in: " in output
    assert "AADSTS7000215" in output
    assert "discovery" not in output


def test_meltano_lists_environments_and_tables(
    sandbox: Sandbox, meltano: Callable[[dict[str, str]], Project]
) -> None:
    project = meltano(variables({**sandbox.settings, "tables": json.dumps(["team"])}))
    rows = project.run("invoke", "tap-dynamics365:tables", "--rows", "team", "--json").output
    assert '"name": ' in rows
    listed = project.run("invoke", "tap-dynamics365:environments", "--config=ENV").output
    assert f"  {sandbox.service_url}\n" in listed
