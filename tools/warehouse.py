"""Reader of the warehouse: the rows in PostgreSQL, without the target's own columns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

# The tap's namespace in meltano.yml.
SCHEMA = "tap_dynamics365"

# Prefix of the target's own columns, and the one with the time at which a row arrived.
OWN = "_sdc_"
RECEIVED = sql.Identifier("_sdc_received_at")


def columns(connection: Connection) -> dict[str, dict[str, str]]:
    """Return the types of each table's columns."""
    found = connection.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = %s AND NOT starts_with(column_name, %s)"
        " ORDER BY table_name, ordinal_position",
        [SCHEMA, OWN],
    )
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in found:
        tables.setdefault(table, {})[column] = kind
    return tables


def rows(connection: Connection, table: str) -> list[dict[str, Any]]:
    """Return all rows of a table."""
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(SCHEMA, table))
    with connection.cursor(row_factory=dict_row) as cursor:
        return [
            {name: value for name, value in row.items() if not name.startswith(OWN)}
            for row in cursor.execute(query)
        ]


def counts(connection: Connection, since: datetime = datetime.min) -> dict[str, int]:  # noqa: DTZ901
    """Return the number of rows of each table that arrived after a moment.

    Args:
        connection: Connection to the database.
        since: The moment, in UTC.
    """
    query = sql.SQL("SELECT count(*) FROM {} WHERE {} > %s")
    return {
        table: count
        for table in columns(connection)
        for (count,) in connection.execute(
            query.format(sql.Identifier(SCHEMA, table), RECEIVED), [since]
        )
    }


def newest(connection: Connection) -> datetime:
    """Return when the last row arrived."""
    query = sql.SQL("SELECT max({}) FROM {}")
    moments: list[datetime] = [
        moment
        for table in columns(connection)
        for (moment,) in connection.execute(query.format(RECEIVED, sql.Identifier(SCHEMA, table)))
        if moment is not None
    ]
    return max(moments)
