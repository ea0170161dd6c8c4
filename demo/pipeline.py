"""Steps of the demo: load everything, change some rows, load the changes."""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack

import psycopg
from psycopg import Connection, sql

from demo.report import step, table
from sandbox import client
from sandbox.client import Sandbox
from tools import meltano, postgres, warehouse
from tools.meltano import Project

SEED = 365
RUN = ("run", "tap-dynamics365", "target-postgres")

# Number of tables that are shown one by one, the largest ones.
SHOWN = 8

SAMPLED = "account"
SAMPLE = ("name", "address1_city", "numberofemployees", "revenue", "modifiedon")

# Changes in Dynamics 365 between the two runs: number of rows by table, and the column to change.
CHANGED = {"account": 20, "contact": 30}
ADDED = {"account": 5, "contact": 10}
COLUMN = "telephone1"


class WrongResultError(RuntimeError):
    """PostgreSQL and Dynamics 365 differ."""


def run(rows: int) -> None:
    """Run the demo.

    Args:
        rows: Number of rows of the local Dynamics 365.

    Raises:
        WrongResultError: Rows are missing in PostgreSQL, or are not up to date.
    """
    with ExitStack() as running:
        with step("Starting a local Dynamics 365") as starting:
            dynamics = running.enter_context(client.running(rows=rows, seed=SEED))
            sizes = _sizes(dynamics)
            starting.outcome = f"{sum(sizes.values()):,} rows in {len(sizes)} tables"
        with step("Starting a PostgreSQL") as starting:
            database = running.enter_context(postgres.running())
            connection = running.enter_context(psycopg.connect(database.dsn, autocommit=True))
            starting.outcome = database.dsn
        project = running.enter_context(
            meltano.project(meltano.plugin_settings(dynamics, database))
        )
        _load_everything(dynamics, connection, project)
        _load_changes(dynamics, connection, project)
    print("\nPostgreSQL has the same rows as Dynamics 365.")


def _load_everything(dynamics: Sandbox, connection: Connection, project: Project) -> None:
    if not meltano.PLUGINS.exists():
        print("\nBefore its first run, Meltano installs the tap and the target.")
    _run("First run", dynamics, project)
    sizes, arrived = _sizes(dynamics), warehouse.counts(connection)
    columns = warehouse.columns(connection)

    print(f"\nTables in PostgreSQL, in the schema {warehouse.SCHEMA}:\n")
    shown = sorted(sizes, key=lambda name: -sizes[name])[:SHOWN]
    others = [name for name in sizes if name not in shown]
    lines: list[tuple[object, ...]] = [
        (name, len(columns[name]), sizes[name], arrived[name]) for name in shown
    ]
    lines.append((f"{len(others)} more", None, _sum(sizes, others), _sum(arrived, others)))
    print(table(("table", "columns", "rows in Dynamics 365", "rows in PostgreSQL"), lines))

    print(f"\nThe last changed rows of {SAMPLED}, with the types of the columns:\n")
    rows = connection.execute(
        sql.SQL("SELECT {} FROM {} ORDER BY modifiedon DESC, accountid LIMIT 3").format(
            sql.SQL(", ").join(map(sql.Identifier, SAMPLE)),
            sql.Identifier(warehouse.SCHEMA, SAMPLED),
        )
    )
    kinds = (columns[SAMPLED][name].removesuffix(" without time zone") for name in SAMPLE)
    print(table(SAMPLE, [tuple(kinds), *rows]))
    _compare(sizes, arrived)


def _load_changes(dynamics: Sandbox, connection: Connection, project: Project) -> None:
    print(f"\n{_sum(CHANGED)} rows are changed in Dynamics 365, and {_sum(ADDED)} added.")
    loaded = warehouse.newest(connection)
    for name, count in CHANGED.items():
        for number, row in enumerate(dynamics.rows(name)[:count]):
            dynamics.update(name, row[f"{name}id"], {COLUMN: f"+1 555 01{number:02}"})
        dynamics.insert(name, [{COLUMN: f"+1 555 02{n:02}"} for n in range(ADDED[name])])
    records = _run("Second run", dynamics, project)

    print("\nRows of the second run:\n")
    written = warehouse.counts(connection, since=loaded)
    others = [name for name in records if name not in CHANGED]
    lines: list[tuple[object, ...]] = [
        (name, CHANGED[name], ADDED[name], records[name], written[name]) for name in CHANGED
    ]
    lines.append((f"{len(others)} more", 0, 0, _sum(records, others), _sum(written, others)))
    print(table(("table", "changed", "added", "sent by the tap", "written in PostgreSQL"), lines))
    print("\n    Rows changed last are sent again, because a row may be committed late.")
    sizes = _sizes(dynamics)
    for name in others:
        if 1 < records[name] == sizes[name]:
            print(f"    {name} has no date of change: all of its rows are sent.")

    _compare(sizes, warehouse.counts(connection))
    for name in CHANGED:
        key = f"{name}id"
        source, loaded_rows = dynamics.rows(name), warehouse.rows(connection, name)
        _compare(
            {row[key]: row[COLUMN] for row in source},
            {str(row[key]): row[COLUMN] for row in loaded_rows},
        )


def _sizes(dynamics: Sandbox) -> dict[str, int]:
    """Return the number of rows of each readable table."""
    return {found["name"]: found["rows"] for found in dynamics.tables() if found["readable"]}


def _run(title: str, dynamics: Sandbox, project: Project) -> Counter[str]:
    """Run the pipeline, and return how many rows of each table the tap sent."""
    dynamics.clear_requests()
    with step(f"{title}: meltano {' '.join(RUN)}") as running:
        records = project.run(*RUN).records
        requests = len(dynamics.requests())
        running.outcome = f"{records.total():,} rows in {requests:,} requests"
    return records


def _sum(counts: Mapping[str, int], names: Iterable[str] | None = None) -> int:
    """Return the sum of some counts, or of all."""
    return sum(counts.get(name, 0) for name in (counts if names is None else names))


def _compare(source: Mapping[str, object], loaded: Mapping[str, object]) -> None:
    """Compare what Dynamics 365 and PostgreSQL have.

    Raises:
        WrongResultError: Something in Dynamics 365 differs in PostgreSQL.
    """
    wrong = sorted(name for name in source if source[name] != loaded.get(name))
    if wrong:
        message = f"PostgreSQL differs from Dynamics 365 in: {', '.join(wrong[:20])}."
        raise WrongResultError(message)
