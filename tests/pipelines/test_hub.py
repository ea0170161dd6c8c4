"""A Meltano project of one's own: `meltano init`, `meltano add` with the definition of the Hub."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import yaml

from tools import hub, warehouse
from tools.meltano import plugin_settings
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.client import Sandbox
    from tools.meltano import Project
    from tools.postgres import Postgres

RUN = ("run", "tap-dynamics365", "target-postgres")


def definition_of_this_tap(folder: Path) -> Path:
    """Write the definition for the tap of this repository instead of a released one."""
    definition = yaml.safe_load(hub.DEFINITION.read_text(encoding="utf-8"))
    file = folder / "tap.yml"
    # All projects of the tests install it with this address, so that one installation is enough.
    file.write_text(yaml.safe_dump({**definition, "pip_url": "-e '$TAP_REPOSITORY'"}))
    return file


def add_target(file: Path) -> None:
    """Add target-postgres as meltano.yml of this repository defines it, without the Hub."""
    ours = yaml.safe_load((REPOSITORY / "meltano.yml").read_text(encoding="utf-8"))
    project = yaml.safe_load(file.read_text())
    project["plugins"] = {"loaders": ours["plugins"]["loaders"]}
    file.write_text(yaml.safe_dump(project))


def test_new_project_with_the_definition_of_the_hub_loads_tables(
    changing_sandbox: Sandbox, postgres: Postgres, meltano: Callable[[dict[str, str]], Project]
) -> None:
    """The second run sends the changes, and the overlap before them."""
    base = meltano(plugin_settings(changing_sandbox, postgres))
    folder = base.folder / "warehouse"
    before = {name: each for name, each in base.environment.items() if "PROJECT_ROOT" not in name}
    replace(base, environment=before).run("init", "warehouse", "--no-usage-stats")
    own = {**base.environment, "MELTANO_PROJECT_ROOT": str(folder)}
    project = replace(base, folder=folder, environment=own)
    add_target(folder / "meltano.yml")
    definition = definition_of_this_tap(base.folder)
    project.run("add", "--from-ref", str(definition), "tap-dynamics365")
    project.run("config", "set", "tap-dynamics365", "_use_cached_catalog", "false")
    project.run("select", "tap-dynamics365", "account", "*")

    accounts = changing_sandbox.rows("account")
    assert project.run(*RUN).records == {"account": len(accounts)}
    with psycopg.connect(postgres.dsn) as connection:
        loaded = warehouse.rows(connection, "account")
    assert {str(row["accountid"]) for row in loaded} == {row["accountid"] for row in accounts}

    changing_sandbox.update("account", accounts[0]["accountid"], {"name": "Invented Ltd"})
    assert project.run(*RUN).records["account"] == 2
    with psycopg.connect(postgres.dsn) as connection:
        names = {
            str(row["accountid"]): row["name"] for row in warehouse.rows(connection, "account")
        }
    assert names[accounts[0]["accountid"]] == "Invented Ltd"
    written = yaml.safe_load((folder / "meltano.yml").read_text())["plugins"]["extractors"]
    assert written[0]["use_cached_catalog"] is False
