"""Destinations of the tests, whose rows are read by other means than the export's own."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.dataset
from deltalake import DeltaTable
from psycopg import sql
from psycopg.rows import dict_row

from tools.warehouse import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tools.postgres import Postgres

    Row = dict[str, Any]

NAMES = ("parquet", "delta", "duckdb", "postgresql")
# Columns that a destination adds.
OWN = "_sdc_"
DELETED_AT = "_sdc_deleted_at"


@dataclass(frozen=True)
class Place:
    """A destination.

    Args:
        name: One of `NAMES`.
        folder: The folder of its files.
        database: The database of PostgreSQL, if it is that.
    """

    name: str
    folder: Path
    database: Postgres | None = None

    @property
    def to(self) -> str:
        """The value of the option `--to`."""
        if self.database is not None and self.name == "postgresql":
            return self.database.dsn
        return {
            "parquet": f"{self.folder / 'files'}",
            "delta": f"delta:{self.folder / 'tables'}",
            "duckdb": f"duckdb:{self.folder / 'rows.duckdb'}",
        }[self.name]

    @property
    def upserts(self) -> bool:
        """Whether rows replace those with the same key."""
        return self.name != "parquet"

    def all_rows(self, table: str, *columns: str) -> list[Row]:
        """Return the rows of a table, as a reader sees them; none if the table does not exist.

        Args:
            table: The name of the table.
            *columns: The columns that are returned; all if none are named.
        """
        match self.name:
            case "parquet":
                files = sorted((self.folder / "files" / table).glob("*.parquet"))
                tables = [pyarrow.dataset.dataset(file).to_table() for file in files]
                return [row for part in tables for row in as_rows(part, columns)]
            case "delta":
                path = self.folder / "tables" / table
                if not path.exists():
                    return []
                return as_rows(DeltaTable(path).to_pyarrow_table(), columns)
            case "duckdb":
                return self._in_duckdb(table, columns)
        return self._in_postgresql(table, columns)

    def remove(self, table: str) -> None:
        """Remove the rows of a table, as a person would."""
        match self.name:
            case "parquet" | "delta":
                shutil.rmtree(
                    self.folder / ("files" if self.name == "parquet" else "tables") / table
                )
            case "duckdb":
                with duckdb.connect(self.folder / "rows.duckdb") as connection:
                    connection.execute(f'DROP TABLE "{table}"')
            case _:
                assert self.database is not None
                with psycopg.connect(self.database.dsn) as connection:
                    name = sql.Identifier(SCHEMA, table)
                    connection.execute(sql.SQL("DROP TABLE {}").format(name))

    def _in_duckdb(self, table: str, columns: Sequence[str]) -> list[Row]:
        path = self.folder / "rows.duckdb"
        if not path.exists():
            return []
        with duckdb.connect(path) as connection:
            if table not in {name for (name,) in connection.execute("SHOW TABLES").fetchall()}:
                return []
            return as_rows(connection.sql(f'FROM "{table}"').to_arrow_table(), columns)

    def _in_postgresql(self, table: str, columns: Sequence[str]) -> list[Row]:
        assert self.database is not None
        with (
            psycopg.connect(self.database.dsn) as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            found = cursor.execute("SELECT to_regclass(%s) AS name", [f'{SCHEMA}."{table}"'])
            if found.fetchall() == [{"name": None}]:
                return []
            chosen = sql.SQL(", ").join(map(sql.Identifier, columns)) if columns else sql.SQL("*")
            query = sql.SQL("SELECT {} FROM {}").format(chosen, sql.Identifier(SCHEMA, table))
            return cursor.execute(query).fetchall()

    def rows(self, table: str) -> list[Row]:
        """Return the rows of a table that are not marked as deleted, without added columns."""
        return [
            {name: value for name, value in row.items() if not name.startswith(OWN)}
            for row in self.all_rows(table)
            if row.get(DELETED_AT) is None
        ]

    def keys(self, table: str, key: str) -> Counter[str]:
        """Count the rows of each key that are not marked as deleted.

        Files are read as a whole. Converting all columns into values of Python takes long.
        """
        marks = [DELETED_AT] if self.name == "postgresql" else []
        rows = self.all_rows(table, key, *marks)
        return Counter(str(row[key]) for row in rows if row.get(DELETED_AT) is None)


def as_rows(table: pa.Table, columns: Sequence[str]) -> list[Row]:
    """Return rows of Arrow as Python's values."""
    rows: list[Row] = (table.select(columns) if columns else table).to_pylist()
    return rows
