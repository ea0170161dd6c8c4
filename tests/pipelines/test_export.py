"""A first load by `dynamics365 export`, and the pipeline into PostgreSQL that goes on from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg

from tests.commands.program import dynamics365
from tests.pipelines.test_change_tracking import delete_some, ids, loaded
from tests.pipelines.test_targets import POSTGRES, variables
from tests.tap import in_one_mode
from tools import warehouse
from tools.meltano import plugin_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.client import Sandbox
    from tools.meltano import Project
    from tools.postgres import Postgres

pytestmark = in_one_mode

# Changes of audit and bot are not tracked. Together, they have columns of each type in the sandbox.
TABLES = ("account", "teammembership", "audit", "new_measurement", "new_project", "bot")
STATE_ID = "dev:tap-dynamics365-to-target-postgres"


def structure(database: Postgres) -> list[Any]:
    """Return the tables, their columns with types, and their keys."""
    with psycopg.connect(database.dsn) as connection:
        return connection.execute(
            "SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull,"
            " coalesce(attnum = ANY (indkey), false)"
            " FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
            " LEFT JOIN pg_index ON indrelid = attrelid AND indisprimary"
            " WHERE relnamespace = %s::regnamespace AND relkind = 'r' AND attnum > 0"
            " AND NOT starts_with(relname, '_') ORDER BY 1, 2",
            [warehouse.SCHEMA],
        ).fetchall()


def content(database: Postgres) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables, sorted."""
    with psycopg.connect(database.dsn) as connection:
        return {table: sorted(warehouse.rows(connection, table), key=repr) for table in TABLES}


def current(database: Postgres, sandbox: Sandbox) -> None:
    """Assert that the rows without a mark are those of the service."""
    for table in ("account", "teammembership"):
        rows = loaded(database, table)
        assert {key for key, mark in rows.items() if mark is None} == {*ids(sandbox, table)}


def test_pipeline_goes_on_in_the_tables_that_an_export_has_made(
    changing_sandbox: Sandbox,
    postgres: Postgres,
    mode: dict[str, Any],
    meltano: Callable[[dict[str, str]], Project],
    tmp_path: Path,
) -> None:
    settings = {"replication_method": "LOG_BASED", "tables": [*TABLES], **mode}
    of_tap = variables({**settings, "tables": json.dumps(TABLES)})
    state, to = (
        tmp_path / "state.json",
        ("--to", postgres.dsn, "--state-out", str(tmp_path / "state.json")),
    )
    exported = dynamics365("export", {**changing_sandbox.settings, **settings}, *to)
    assert exported.status == 0, exported.log

    # What the pipeline alone loads, is the same, in the same types and with the same keys.
    other = postgres.create(f"{postgres.database}_pipeline")
    alone = meltano({**plugin_settings(changing_sandbox, other), **of_tap})
    alone.run(*POSTGRES)
    assert structure(postgres) == structure(other)
    assert content(postgres) == content(other)

    # Changes and deletes arrive, and nothing else is sent again.
    gone = delete_some(changing_sandbox)
    changing_sandbox.insert("audit", [{}])
    first = changing_sandbox.rows("account")[0]
    changing_sandbox.update("account", first["accountid"], {"name": "Changed"})
    project = meltano({**plugin_settings(changing_sandbox, postgres), **of_tap})
    wrapped = tmp_path / "singer_state.json"
    wrapped.write_text(json.dumps({"singer_state": json.loads(state.read_text())}))
    project.run("state", "set", "--force", STATE_ID, "--input-file", str(wrapped))
    sent = project.run(*POSTGRES).records
    # The new row, and the overlap of the bookmarks.
    assert 1 <= sent.pop("audit") <= 3
    assert sent.pop("bot") <= 1
    changed = {table: len(keys) for table, keys in gone.items()}
    changed["account"] += 1
    assert {table: count for table, count in sent.items() if count} == changed
    current(postgres, changing_sandbox)
    for table, keys in gone.items():
        rows = loaded(postgres, table)
        assert {key for key, mark in rows.items() if mark is not None} == keys
    assert len(content(postgres)["audit"]) == len(changing_sandbox.rows("audit"))

    # The export goes on where it was, too.
    def export_again() -> None:
        delete_some(changing_sandbox)
        exported = dynamics365("export", {**changing_sandbox.settings, **settings}, *to)
        assert exported.status == 0, exported.log
        current(postgres, changing_sandbox)

    export_again()

    # A full resync keeps the rows of the export that are there, and marks those that are not.
    delete_some(changing_sandbox)
    changing_sandbox.expire_delta_tokens()
    project.run(*POSTGRES)
    current(postgres, changing_sandbox)
    # So does that of the export.
    export_again()
