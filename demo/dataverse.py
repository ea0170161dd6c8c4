"""The story of Dataverse: load everything, change some rows, load the changes."""

from psycopg import sql

from demo.pipeline import Pipeline, compare, started, total
from demo.report import table
from tools import warehouse

# Number of tables that are shown one by one, the largest ones.
SHOWN = 8

SAMPLED = "account"
SAMPLE = ("name", "address1_city", "numberofemployees", "revenue", "modifiedon")

# Changes in Dynamics 365 between the two runs: number of rows by table, and the column to change.
CHANGED = {"account": 20, "contact": 30}
ADDED = {"account": 5, "contact": 10}
COLUMN = "telephone1"


def run(rows: int) -> None:
    """Run the demo.

    Args:
        rows: Number of rows of the local Dynamics 365.

    Raises:
        WrongResultError: Rows are missing in PostgreSQL, or are not up to date.
    """
    with started("dataverse", "Dynamics 365", rows) as pipeline:
        _load_everything(pipeline)
        _load_changes(pipeline)
    print("\nPostgreSQL has the same rows as Dynamics 365.")


def _load_everything(pipeline: Pipeline) -> None:
    pipeline.run("First run")
    connection = pipeline.connection
    sizes, arrived = _sizes(pipeline), warehouse.counts(connection)
    columns = warehouse.columns(connection)

    print(f"\nTables in PostgreSQL, in the schema {warehouse.SCHEMA}:\n")
    shown = sorted(sizes, key=lambda name: -sizes[name])[:SHOWN]
    others = [name for name in sizes if name not in shown]
    lines: list[tuple[object, ...]] = [
        (name, len(columns[name]), sizes[name], arrived[name]) for name in shown
    ]
    lines.append((f"{len(others)} more", None, total(sizes, others), total(arrived, others)))
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
    compare(sizes, arrived)


def _load_changes(pipeline: Pipeline) -> None:
    dynamics, connection = pipeline.dynamics, pipeline.connection
    print(f"\n{total(CHANGED)} rows are changed in Dynamics 365, and {total(ADDED)} added.")
    loaded = warehouse.newest(connection)
    for name, count in CHANGED.items():
        for number, row in enumerate(dynamics.rows(name)[:count]):
            dynamics.update(name, row[f"{name}id"], {COLUMN: f"+1 555 01{number:02}"})
        dynamics.insert(name, [{COLUMN: f"+1 555 02{n:02}"} for n in range(ADDED[name])])
    records = pipeline.run("Second run")

    print("\nRows of the second run:\n")
    written = warehouse.counts(connection, since=loaded)
    others = [name for name in records if name not in CHANGED]
    lines: list[tuple[object, ...]] = [
        (name, CHANGED[name], ADDED[name], records[name], written[name]) for name in CHANGED
    ]
    lines.append((f"{len(others)} more", 0, 0, total(records, others), total(written, others)))
    print(table(("table", "changed", "added", "sent by the tap", "written in PostgreSQL"), lines))
    print("\n    Rows changed last are sent again, because a row may be committed late.")
    sizes = _sizes(pipeline)
    for name in others:
        if 1 < records[name] == sizes[name]:
            print(f"    {name} has no date of change: all of its rows are sent.")

    compare(sizes, warehouse.counts(connection))
    for name in CHANGED:
        key = f"{name}id"
        source, loaded_rows = dynamics.rows(name), warehouse.rows(connection, name)
        compare(
            {row[key]: row[COLUMN] for row in source},
            {str(row[key]): row[COLUMN] for row in loaded_rows},
        )


def _sizes(pipeline: Pipeline) -> dict[str, int]:
    """Return the number of rows of each readable table."""
    return {
        found["name"]: found["rows"] for found in pipeline.dynamics.tables() if found["readable"]
    }
