"""Tables split over several runs of Meltano, as containers run them side by side."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg

from tests.documents import Document
from tools import warehouse
from tools.meltano import PLUGINS, plugin_settings
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from tools.meltano import Project, Run
    from tools.postgres import Postgres

PAGE = Document(REPOSITORY / "docs" / "scale.md")
(COMMANDS,) = PAGE.blocks("Splitting tables over runs", "sh")
TABLES = {"account": "accountid", "contact": "contactid"}


def container(project: Project, name: str) -> Project:
    """A copy of the project folder, as another container has it, with the plugins installed."""
    folder = project.folder / name
    (folder / ".meltano").mkdir(parents=True)
    (folder / "meltano.yml").write_text((project.folder / "meltano.yml").read_text())
    for kind in ("extractors", "loaders"):
        (folder / ".meltano" / kind).symlink_to(PLUGINS / kind)
    own = {
        "MELTANO_DATABASE_URI": f"sqlite:///{folder / 'meltano.db'}",
        "MELTANO_PROJECT_ROOT": str(folder),
        "MELTANO_STATE_BACKEND_URI": f"file://{project.folder / 'states'}",
        "XDG_STATE_HOME": str(folder / "logs"),
    }
    shared = {name: text for name, text in project.environment.items() if name not in own}
    environment = {**shared, **own, "MELTANO_SYS_DIR_ROOT": str(folder / ".meltano")}
    return replace(project, folder=folder, environment=environment)


def run(project: Project, command: str) -> Run:
    """Run a command of the page."""
    variable, meltano, *arguments = command.split()
    name, _, value = variable.partition("=")
    assert meltano == "meltano"
    environment = {**project.environment, name: value.strip("'")}
    return replace(project, environment=environment).run(*arguments)


def test_runs_with_a_state_each_load_their_tables_side_by_side(
    sandbox: Sandbox, postgres: Postgres, meltano: Callable[[dict[str, str]], Project]
) -> None:
    project = meltano(plugin_settings(sandbox, postgres))
    if not (PLUGINS / "loaders" / "target-postgres" / "venv").exists():
        project.run("install")
    (project.folder / "states").mkdir()
    commands = COMMANDS.splitlines()
    places = [container(project, name) for name in TABLES]
    with ThreadPoolExecutor() as threads:
        runs = list(threads.map(run, places, commands))
    sent = {name: len(sandbox.rows(name)) for name in TABLES}
    assert [each.records for each in runs] == [{name: count} for name, count in sent.items()]
    with closing(psycopg.connect(postgres.dsn)) as connection:
        for name, key in TABLES.items():
            loaded = {str(row[key]) for row in warehouse.rows(connection, name)}
            assert loaded == {row[key] for row in sandbox.rows(name)}
    states = {
        file.parent.name: json.loads(file.read_text())["completed"]["singer_state"]["bookmarks"]
        for file in project.folder.glob("states/*/state.json")
    }
    assert {name.rpartition(":")[2]: [*found] for name, found in states.items()} == {
        name: [name] for name in TABLES
    }
