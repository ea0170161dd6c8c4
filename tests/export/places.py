"""Destinations of the tests, whose rows are read by other means than the export's own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pyarrow.dataset
from deltalake import DeltaTable
from psycopg import sql
from psycopg.rows import dict_row

from tools.warehouse import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from tools.postgres import Postgres

    Row = dict[str, Any]

NAMES = ("parquet", "delta", "duckdb", "postgresql")
# Columns that a destination adds.
OWN = "_sdc_"


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

    def all_rows(self, table: str) -> list[Row]:
        """Return the rows of a table, as a reader sees them; none if the table does not exist."""
        match self.name:
            case "parquet":
                files = sorted((self.folder / "files" / table).glob("*.parquet"))
                tables = [pyarrow.dataset.dataset(file).to_table() for file in files]
                return [row for part in tables for row in part.to_pylist()]
            case "delta":
                path = self.folder / "tables" / table
                return DeltaTable(path).to_pyarrow_table().to_pylist() if path.exists() else []
            case "duckdb":
                return self._in_duckdb(table)
        return self._in_postgresql(table)

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

    def _in_duckdb(self, table: str) -> list[Row]:
        path = self.folder / "rows.duckdb"
        if not path.exists():
            return []
        with duckdb.connect(path) as connection:
            if table not in {name for (name,) in connection.execute("SHOW TABLES").fetchall()}:
                return []
            return list(connection.sql(f'FROM "{table}"').to_arrow_table().to_pylist())

    def _in_postgresql(self, table: str) -> list[Row]:
        assert self.database is not None
        with (
            psycopg.connect(self.database.dsn) as connection,
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            found = cursor.execute("SELECT to_regclass(%s) AS name", [f'{SCHEMA}."{table}"'])
            if found.fetchall() == [{"name": None}]:
                return []
            query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(SCHEMA, table))
            return cursor.execute(query).fetchall()

    def rows(self, table: str) -> list[Row]:
        """Return the rows of a table that are not marked as deleted, without added columns."""
        return [
            {name: value for name, value in row.items() if not name.startswith(OWN)}
            for row in self.all_rows(table)
            if row.get("_sdc_deleted_at") is None
        ]
