"""The story of Finance & Operations: all companies, rows that change, rows that are deleted."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from demo.pipeline import Pipeline, compare, started, total
from demo.report import table
from tools import warehouse

# Entity sets that are loaded, and the column by which changes are seen.
TABLES = {
    "CustomersV3": "",
    "ReleasedProductsV2": "",
    "Currencies": "",
    "SalesOrderHeadersV2": "SysModifiedDateTime",
    "VendorsV2": "SysModifiedDateTime",
}
SETTINGS = {
    "TAP_DYNAMICS365_CROSS_COMPANY": "true",
    "TAP_DYNAMICS365_TABLES": json.dumps([*TABLES]),
    "TAP_DYNAMICS365_EMIT_ACTIVATE_VERSION_MESSAGES": "true",
    "TARGET_POSTGRES_HARD_DELETE": "true",
}
COMPANY = "dataAreaId"

# The table that is shown by company, and the one with a date of change.
SHOWN, DATED = "CustomersV3", "SalesOrderHeadersV2"
# Changes between the two runs: number of rows by table, and the column to change.
CHANGED = {SHOWN: 20, DATED: 30}
DELETED = {SHOWN: 12}
COLUMNS = {SHOWN: "OrganizationName", DATED: "SalesOrderName"}

Row = Mapping[str, Any]
Key = tuple[str, ...]


def run(rows: int) -> None:
    """Run the demo.

    Args:
        rows: Number of rows of the local Finance & Operations.

    Raises:
        WrongResultError: PostgreSQL lacks rows, has deleted ones, or has outdated ones.
    """
    with started("finance-operations", "Finance & Operations", rows, SETTINGS) as pipeline:
        _load_companies(pipeline)
        _load_changes(pipeline)
    print("\nPostgreSQL has the same rows as Finance & Operations.")


def _load_companies(pipeline: Pipeline) -> None:
    print("\nSettings: cross_company, emit_activate_version_messages, and tables:")
    print(f"{', '.join(TABLES)}\n")
    pipeline.run("First run")
    source, loaded = _companies(pipeline), _by_company(warehouse.rows(pipeline.connection, SHOWN))
    switches = pipeline.dynamics.switches()
    default, reached = switches["default_company"], switches["reached_companies"]
    print(f"\nRows of {SHOWN} by company:\n")
    print(
        table(
            ("company", "in Finance & Operations", "in PostgreSQL", ""),
            [
                (company, count, loaded[company], _note(company, default, reached))
                for company, count in source.items()
            ],
        )
    )
    _compare(pipeline)


def _note(company: str, default: str, reached: Iterable[str]) -> str:
    if company == default:
        return "default company: without cross_company, only these rows would come"
    return "" if company in reached else "not within the roles of the user"


def _load_changes(pipeline: Pipeline) -> None:
    changed, deleted = total(CHANGED), total(DELETED)
    print(f"\n{changed} rows are changed in Finance & Operations, and {deleted} deleted.")
    for name, count in CHANGED.items():
        found = _readable(pipeline, name)
        for number, key in enumerate([*found][:: len(found) // count][:count]):
            pipeline.dynamics.update(name, key, {COLUMNS[name]: f"Changed {number}"})
    for name, count in DELETED.items():
        found = _readable(pipeline, name)
        for key in [*found][1 :: len(found) // count][:count]:
            pipeline.dynamics.delete(name, key)
    records = pipeline.run("Second run")
    loaded = warehouse.counts(pipeline.connection)

    print("\nRows of the second run:\n")
    print(
        table(
            ("table", "date of change", "changed", "deleted", "sent by the tap", "in PostgreSQL"),
            [
                (
                    name,
                    column or "none: read in full",
                    CHANGED.get(name, 0),
                    DELETED.get(name, 0),
                    records[name],
                    loaded[name],
                )
                for name, column in TABLES.items()
            ],
        )
    )
    print(
        "\n    After a table that is read in full, the tap sends ACTIVATE_VERSION, and PostgreSQL\n"
        "    removes the rows that did not come again. Rows changed last are sent again."
    )
    _compare(pipeline)


def _by_company(rows: Iterable[Row]) -> Counter[str]:
    return Counter(row[COMPANY] for row in rows)


def _companies(pipeline: Pipeline) -> dict[str, int]:
    """Return the number of rows of the shown table by company, the largest company first."""
    return dict(_by_company(pipeline.dynamics.rows(SHOWN)).most_common())


def _readable(pipeline: Pipeline, name: str) -> dict[Key, Row]:
    """Return the rows of a table that the user may read, by key."""
    reached = pipeline.dynamics.switches()["reached_companies"]
    rows = pipeline.dynamics.rows(name)
    return _by_key(pipeline, name, [row for row in rows if row.get(COMPANY, reached[0]) in reached])


def _by_key(pipeline: Pipeline, name: str, rows: Iterable[Row]) -> dict[Key, Row]:
    (key,) = (found["key"] for found in pipeline.dynamics.tables() if found["name"] == name)
    return {tuple(row[column] for column in key): row for row in rows}


def _compare(pipeline: Pipeline) -> None:
    """Compare all rows: their keys, and all values but times, whose form differs."""
    columns = warehouse.columns(pipeline.connection)
    for name in TABLES:
        same = [column for column, kind in columns[name].items() if "time" not in kind]
        source = _readable(pipeline, name)
        loaded = _by_key(pipeline, name, warehouse.rows(pipeline.connection, name))
        compare(_values(name, source, same), _values(name, loaded, same))
        compare({name: len(source)}, {name: len(loaded)})


def _values(name: str, rows: Mapping[Key, Row], columns: Iterable[str]) -> dict[str, list[Any]]:
    """Return the values of some columns, by table and key."""
    return {f"{name} {key}": [row[column] for column in columns] for key, row in rows.items()}
