"""Rows in PostgreSQL and in JSONL files are those of the service, value by value."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg

from tap_dynamics365.settings import JSON_SCHEMA
from tests.tap import in_one_mode
from tools import warehouse
from tools.meltano import plugin_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sandbox.client import Sandbox
    from tools.meltano import Project
    from tools.postgres import Postgres

Row = dict[str, Any]

POSTGRES = ("run", "tap-dynamics365", "target-postgres")
JSONL = ("run", "tap-dynamics365", "target-jsonl")

REPLICATION_KEYS = ("modifiedon", "versionnumber", "createdon")

# How target-postgres stores what the service calls by these names.
COLUMN_TYPES = {
    "Edm.Binary": "text",
    "Edm.Boolean": "boolean",
    "Edm.Date": "date",
    "Edm.DateTimeOffset": "timestamp without time zone",
    "Edm.Decimal": "numeric",
    "Edm.Double": "numeric",
    "Edm.Guid": "uuid",
    "Edm.Int32": "bigint",
    "Edm.Int64": "bigint",
    "Edm.String": "text",
    "mscrm.BooleanManagedProperty": "jsonb",
}


def in_postgres(value: Any, kind: str) -> object:  # noqa: ANN401 -- whatever JSON holds
    """Return how PostgreSQL stores a value of the service."""
    if value is None:
        return None
    match COLUMN_TYPES[kind]:
        case "uuid":
            return UUID(value)
        case "numeric":
            return Decimal(value)
        case "date":
            return dt.date.fromisoformat(value)
        case "timestamp without time zone":
            return dt.datetime.fromisoformat(value).astimezone(dt.UTC).replace(tzinfo=None)
        case _:
            # PostgreSQL stores no NUL characters: meltano.yml has the target replace them.
            return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def readable(sandbox: Sandbox) -> dict[str, Row]:
    """Return the tables that can be read, by name."""
    return {table["name"]: table for table in sandbox.tables() if table["readable"]}


def columns(table: Row) -> dict[str, str]:
    """Return the columns that rows have, with their types."""
    return {name: kind for name, kind in table["columns"].items() if kind != "Edm.Stream"}


def by_key(rows: Iterable[Row], table: Row) -> dict[tuple[str, ...], Row]:
    """Return rows by their key. The parts of a key are compared as text."""
    return {tuple(str(row[part]) for part in table["key"]): row for row in rows}


def assert_loaded(sandbox: Sandbox, database: Postgres) -> None:
    """Assert that PostgreSQL has exactly the rows of the service, with all their values."""
    with psycopg.connect(database.dsn) as connection:
        types = warehouse.columns(connection)
        for name, table in readable(sandbox).items():
            kinds = columns(table)
            assert types[name] == {column: COLUMN_TYPES[kind] for column, kind in kinds.items()}
            expected = [
                {column: in_postgres(row[column], kind) for column, kind in kinds.items()}
                for row in sandbox.rows(name)
            ]
            loaded = warehouse.rows(connection, name)
            assert len(loaded) == len(expected)
            assert by_key(loaded, table) == by_key(expected, table)


def replication_key(table: Row) -> str | None:
    """Return the replication key of a table, or None."""
    return next((key for key in REPLICATION_KEYS if key in table["columns"]), None)


def bookmarks(sandbox: Sandbox) -> dict[str, Any]:
    """Return the bookmark after a complete load of each table that has a replication key."""
    return {
        name: max((row[key] for row in sandbox.rows(name)), default=None)
        for name, table in readable(sandbox).items()
        if (key := replication_key(table))
    }


def starts(last: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the next run starts in each table, with the overlap for late commits.

    Args:
        last: The bookmarks of the last run.
        before: Those of the run before it.
    """
    lookback = dt.timedelta(seconds=JSON_SCHEMA["properties"]["lookback_seconds"]["default"])
    return {
        name: (dt.datetime.fromisoformat(bookmark) - lookback).strftime("%Y-%m-%dT%H:%M:%SZ")
        if isinstance(bookmark, str)
        else before.get(name)
        for name, bookmark in last.items()
        if bookmark is not None
    }


def due(sandbox: Sandbox, since: Mapping[str, Any]) -> Counter[str]:
    """Count the rows of each table from the start of a run on; without a start, all rows."""
    counts: Counter[str] = Counter()
    for name, table in readable(sandbox).items():
        key = replication_key(table)
        start = since.get(name)
        counts[name] = sum(
            key is None or start is None or row[key] >= start for row in sandbox.rows(name)
        )
    return counts


def change(sandbox: Sandbox) -> None:
    """Update and insert rows in tables of several kinds."""
    for name in ("account", "task", "new_project", "businessunit"):
        table = readable(sandbox)[name]
        for row in sandbox.rows(name)[1:4]:
            sandbox.update(name, row[table["primary_id"]], {"importsequencenumber": 4242})
    sandbox.insert(
        "account",
        [
            {
                "name": "Größe \0 \u2028 \U0001f600 'quoted' \\ \"too\"",
                "revenue": Decimal("0.0001"),
            },
            {"name": "", "revenue": Decimal("-922337203685477.5808"), "creditonhold": False},
        ],
    )
    sandbox.insert("audit", [{}])


def variables(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return settings of the tap as environment variables."""
    return {f"TAP_DYNAMICS365_{name.upper()}": str(value) for name, value in settings.items()}


@in_one_mode
def test_postgres_after_each_run_has_every_value(
    changing_sandbox: Sandbox,
    postgres: Postgres,
    meltano: Callable[[dict[str, str]], Project],
    mode: dict[str, Any],
) -> None:
    """The first run loads all rows. Later runs load the changes, and the overlap before them."""
    settings = variables({**mode, "fetch_size": 100})
    project = meltano({**plugin_settings(changing_sandbox, postgres), **settings})
    sent = project.run(*POSTGRES).records
    assert +sent == +due(changing_sandbox, {})
    assert_loaded(changing_sandbox, postgres)

    first = bookmarks(changing_sandbox)
    change(changing_sandbox)
    sent = project.run(*POSTGRES).records
    assert +sent == +due(changing_sandbox, starts(first, {}))
    assert sent["account"] == 3 + 2 + 1
    assert sent["audit"] == 1 + 1
    assert sent["contact"] == 1
    assert_loaded(changing_sandbox, postgres)

    second = bookmarks(changing_sandbox)
    sent = project.run(*POSTGRES).records
    assert +sent == +due(changing_sandbox, starts(second, first))
    assert_loaded(changing_sandbox, postgres)


def test_jsonl_after_each_run_has_every_value(
    changing_sandbox: Sandbox, meltano: Callable[[dict[str, str]], Project]
) -> None:
    """The target appends the rows of each run to the file."""
    project = meltano(variables(changing_sandbox.settings))
    project.run(*JSONL)
    change(changing_sandbox)
    project.run(*JSONL)
    for name, table in readable(changing_sandbox).items():
        file = project.folder / "output" / f"{name}.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        loaded = by_key((json.loads(line, parse_float=Decimal) for line in lines), table)
        expected = by_key(changing_sandbox.rows(name), table)
        assert loaded.keys() == expected.keys()
        for key, row in expected.items():
            assert loaded[key] == {column: row[column] for column in columns(table)}


def test_rows_deleted_from_a_full_table_are_removed_from_postgres(
    changing_sandbox: Sandbox, postgres: Postgres, meltano: Callable[[dict[str, str]], Project]
) -> None:
    """A table that can't be read keeps its rows."""
    project = meltano(
        {
            **plugin_settings(changing_sandbox, postgres),
            **variables({"emit_activate_version_messages": "true", "tables": '["bulk*", "team"]'}),
            "TARGET_POSTGRES_HARD_DELETE": "true",
            # Another key than the table's own, as a person chooses it under `metadata:`.
            "TAP_DYNAMICS365__METADATA": '{"team": {"table-key-properties": ["name"]}}',
        }
    )

    def loaded() -> set[str]:
        with psycopg.connect(postgres.dsn) as connection:
            rows = warehouse.rows(connection, "bulkdeletefailure")
        return {str(row["bulkdeletefailureid"]) for row in rows}

    project.run(*POSTGRES)
    with psycopg.connect(postgres.dsn) as connection:
        keys = connection.execute(
            "SELECT table_name, column_name FROM information_schema.key_column_usage"
            " WHERE table_schema = %s",
            [warehouse.SCHEMA],
        ).fetchall()
    assert ("team", "name") in keys
    assert ("team", "teamid") not in keys
    first, *others = [
        row["bulkdeletefailureid"] for row in changing_sandbox.rows("bulkdeletefailure")
    ]
    assert loaded() == {first, *others}

    changing_sandbox.delete("bulkdeletefailure", first)
    project.run(*POSTGRES)
    assert loaded() == set(others)

    changing_sandbox.configure(forbidden_tables=["bulkdeletefailure"])
    project.run(*POSTGRES)
    assert loaded() == set(others)
