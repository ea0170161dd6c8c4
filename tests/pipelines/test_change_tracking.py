"""Deleted rows in PostgreSQL: marked, or removed if the target hard-deletes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from tests.pipelines.targets import target_postgres
from tests.pipelines.test_targets import POSTGRES, variables
from tests.tap import entry, in_one_mode, own_metadata, reads, select
from tools.meltano import plugin_settings
from tools.warehouse import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from tests.pipelines.targets import Target
    from tests.tap import Message, Run, Tap
    from tools.meltano import Project
    from tools.postgres import Postgres

pytestmark = in_one_mode

# A table with many columns, and one without a modification date.
KEYS = {"account": "accountid", "teammembership": "teammembershipid"}
NO_VERSIONS = {"emit_activate_version_messages": False}


def log_based(tap: Tap) -> Message:
    """Return the catalog of the tables, with the method LOG_BASED."""
    catalog = select(tap.discover(), dict.fromkeys(KEYS))
    for table in KEYS:
        own_metadata(entry(catalog, table))["replication-method"] = "LOG_BASED"
    return catalog


def loaded(database: Postgres, table: str) -> dict[str, Any]:
    """Return when each row in PostgreSQL was marked as deleted, by its key."""
    query = sql.SQL("SELECT {}::text, _sdc_deleted_at FROM {}").format(
        sql.Identifier(KEYS[table]), sql.Identifier(SCHEMA, table)
    )
    with psycopg.connect(database.dsn) as connection:
        return dict(connection.execute(query).fetchall())


def marked_and_whole(database: Postgres) -> int:
    """Count the rows that are marked as deleted and still have their values."""
    query = sql.SQL(
        "SELECT count(*) FROM {} WHERE _sdc_deleted_at IS NOT NULL AND createdon IS NOT NULL"
    ).format(sql.Identifier(SCHEMA, "account"))
    with psycopg.connect(database.dsn) as connection:
        (found,) = connection.execute(query).fetchone() or (0,)
        return int(found)


def ids(sandbox: Sandbox, table: str) -> list[str]:
    """Return the keys of the rows of the service."""
    return [row[KEYS[table]] for row in sandbox.rows(table)]


def delete_some(sandbox: Sandbox) -> dict[str, set[str]]:
    """Delete two rows that were loaded, and one that was inserted after the load."""
    gone = {}
    for table, key in KEYS.items():
        (fleeting,) = sandbox.insert(table, [{}])
        gone[table] = {fleeting[key], *ids(sandbox, table)[:2]}
        for each in gone[table]:
            sandbox.delete(table, each)
    return gone


class Pipeline:
    """A tap with the method LOG_BASED, and a target."""

    def __init__(self, tap: Tap, target: Target) -> None:
        self.tap = tap
        self.target = target
        self.catalog = log_based(tap)
        self.state: Message = {}

    def run(self) -> Run:
        """Run tap and target once."""
        run = self.tap.sync(catalog=self.catalog, state=self.state or None)
        self.target.load(run.output)
        self.state = run.state
        return run


@pytest.fixture
def pipeline(
    changing_sandbox: Sandbox,
    tap_for: Callable[..., Tap],
    meltano: Callable[[dict[str, str]], Project],
    postgres: Postgres,
) -> Callable[..., Pipeline]:
    """Make a pipeline from settings of the tap and of the target."""
    return lambda tap_settings, **settings: Pipeline(
        tap_for(changing_sandbox, tables=[*KEYS], fetch_size=100, **tap_settings),
        target_postgres(meltano({}), postgres, **settings),
    )


@pytest.mark.parametrize("versions", [NO_VERSIONS, {}], ids=["plain", "versions"])
def test_deleted_rows_without_hard_delete_are_marked(
    changing_sandbox: Sandbox,
    postgres: Postgres,
    pipeline: Callable[..., Pipeline],
    versions: dict[str, Any],
) -> None:
    changes = pipeline(versions)
    changes.run()
    gone = delete_some(changing_sandbox)
    sent = changes.run()
    for table in KEYS:
        rows = loaded(postgres, table)
        assert {key for key, mark in rows.items() if mark is None} == {
            *ids(changing_sandbox, table)
        }
        # The row that was inserted and deleted between the runs is there too, with its key alone.
        assert {key for key, mark in rows.items() if mark is not None} == gone[table]
    # Records of deleted rows have the key alone, and the target empties the other columns.
    assert marked_and_whole(postgres) == 0
    assert sent.counts == {table: len(keys) for table, keys in gone.items()}
    # A deletion is sent once.
    assert changes.run().counts == {}


def test_deleted_rows_with_hard_delete_are_removed(
    changing_sandbox: Sandbox, postgres: Postgres, pipeline: Callable[..., Pipeline]
) -> None:
    changes = pipeline({}, hard_delete=True)
    changes.run()
    delete_some(changing_sandbox)
    changes.run()
    for table in KEYS:
        assert {*loaded(postgres, table)} == {*ids(changing_sandbox, table)}


@pytest.mark.parametrize("hard_delete", [False, True], ids=["marks", "deletes"])
def test_rows_deleted_before_a_full_resync_are_marked_or_removed(
    changing_sandbox: Sandbox,
    postgres: Postgres,
    pipeline: Callable[..., Pipeline],
    hard_delete: bool,  # noqa: FBT001 - pytest gives it
) -> None:
    changes = pipeline({}, hard_delete=hard_delete)
    changes.run()
    delete_some(changing_sandbox)
    changing_sandbox.expire_delta_tokens()
    run = changes.run()
    assert run.counts == {table: len(ids(changing_sandbox, table)) for table in KEYS}
    assert len(run.logged("WARNING")) == len(KEYS)
    for table in KEYS:
        rows = loaded(postgres, table)
        assert {key for key, mark in rows.items() if mark is None} == {
            *ids(changing_sandbox, table)
        }
        assert not hard_delete or len(rows) == len(ids(changing_sandbox, table))
    # The two rows that were loaded before: a full resync has no records of them.
    assert marked_and_whole(postgres) == (0 if hard_delete else 2)


def test_deleted_row_that_came_back_is_no_longer_marked(
    changing_sandbox: Sandbox, postgres: Postgres, pipeline: Callable[..., Pipeline]
) -> None:
    changes = pipeline({})
    changes.run()
    key = ids(changing_sandbox, "account")[0]
    changing_sandbox.delete("account", key)
    changes.run()
    assert loaded(postgres, "account")[key] is not None
    changing_sandbox.insert("account", [{"accountid": key, "name": "Back"}])
    changes.run()
    assert loaded(postgres, "account")[key] is None


def test_replication_method_of_the_project_applies_to_every_table(
    changing_sandbox: Sandbox,
    postgres: Postgres,
    meltano: Callable[[dict[str, str]], Project],
    mode: dict[str, Any],
) -> None:
    """Without changes, a table takes one request and no row."""
    settings = variables(
        {**mode, "replication_method": "log_based", "tables": '["account", "team*"]'}
    )
    project = meltano({**plugin_settings(changing_sandbox, postgres), **settings})
    project.run(*POSTGRES)
    gone = delete_some(changing_sandbox)
    assert project.run(*POSTGRES).records["account"] == len(gone["account"])
    for table in KEYS:
        marked = {key for key, mark in loaded(postgres, table).items() if mark is not None}
        assert marked == gone[table]
    changing_sandbox.clear_requests()
    assert +project.run(*POSTGRES).records == {}
    asked = Counter(request["path"] for request in reads(changing_sandbox.requests()))
    assert len(asked) == 3
    assert set(asked.values()) == {1}
