"""Whole pipelines: what real targets hold is what Dynamics 365 holds, value by value."""

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
    """What the service's value is in PostgreSQL."""
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
    """The tables that can be read, by name."""
    return {table["name"]: table for table in sandbox.tables() if table["readable"]}


def columns(table: Row) -> dict[str, str]:
    """The columns that rows carry, with their types."""
    return {name: kind for name, kind in table["columns"].items() if kind != "Edm.Stream"}


def by_key(rows: Iterable[Row], table: Row) -> dict[tuple[str, ...], Row]:
    """Rows by their key, whatever type its parts are of."""
    return {tuple(str(row[part]) for part in table["key"]): row for row in rows}


def assert_loaded(sandbox: Sandbox, database: Postgres) -> None:
    """Every value of every row of every table is in PostgreSQL, and no row more."""
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
    """The column by which a table is replicated, unless it has none."""
    return next((key for key in REPLICATION_KEYS if key in table["columns"]), None)


def bookmarks(sandbox: Sandbox) -> dict[str, Any]:
    """How far a complete load comes in each table that has a replication key."""
    return {
        name: max((row[key] for row in sandbox.rows(name)), default=None)
        for name, table in readable(sandbox).items()
        if (key := replication_key(table))
    }


def starts(last: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Where a run begins in each table, to see what was committed late.

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
    """How many rows of each table are as new as where a run begins; all where that is nowhere."""
    counts: Counter[str] = Counter()
    for name, table in readable(sandbox).items():
        key = replication_key(table)
        start = since.get(name)
        counts[name] = sum(
            key is None or start is None or row[key] >= start for row in sandbox.rows(name)
        )
    return counts


def change(sandbox: Sandbox) -> None:
    """Change some rows and add some, in tables of several kinds."""
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
    """The tap's settings as variables of its environment."""
    return {f"TAP_DYNAMICS365_{name.upper()}": str(value) for name, value in settings.items()}


@in_one_mode
def test_postgres_has_every_value_and_then_every_change(
    changing_sandbox: Sandbox,
    postgres: Postgres,
    meltano: Callable[[dict[str, str]], Project],
    mode: dict[str, Any],
) -> None:
    """The first run brings all rows, the next one what changed and the overlap before it."""
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


def test_jsonl_has_every_value_and_then_every_change(
    changing_sandbox: Sandbox, meltano: Callable[[dict[str, str]], Project]
) -> None:
    """A target of another kind, which appends: each run's rows stand behind those before."""
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


def test_rows_deleted_from_a_full_table_leave_postgres(
    changing_sandbox: Sandbox, postgres: Postgres, meltano: Callable[[dict[str, str]], Project]
) -> None:
    """The new version is announced behind its rows; a table that can't be read keeps its rows."""
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
