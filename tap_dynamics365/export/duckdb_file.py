"""DuckDB: a database file, in which rows replace those with the same key."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import duckdb
import msgspec

from tap_dynamics365.export.destination import (
    DestinationError,
    Progress,
    RefusedError,
    note_removed,
    retyped,
)
from tap_dynamics365.export.latest_rows import without_deleted
from tap_dynamics365.export.sql_text import sql
from tap_dynamics365.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from tap_dynamics365.export.destination import Commit, ExportedTable

#: The table with the progress.
STATE = "_dynamics365_state"
# The schema of all tables.
SCHEMA = "main"
# The beginning of the name of a table that replaces another one at the end of a load.
STAGED = "_dynamics365_new_"
# The name under which DuckDB sees the rows of a commit.
ROWS = "_dynamics365_rows"
# What DuckDB raises if the rows do not fit the table, rather than if the file can't be written.
REFUSALS = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConstraintException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
)


class DuckDBFile:
    """A database file of DuckDB.

    Args:
        path: The path of the file. It is created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._staged: set[str] = set()

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self._path)

    def progress(self, tables: Sequence[str]) -> dict[str, Progress]:
        """Open the file, and return how far tables are exported.

        Args:
            tables: The names of the tables.

        Raises:
            DestinationError: The file can't be opened.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._connection is None:
                self._connection = duckdb.connect(self._path)
            path = "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
            if self._run(path).fetchone() == (None,):
                # DuckDB shows a file of rows as a database that is in memory only.
                msg = f"{self._path} is no database of DuckDB: choose another file."
                raise DestinationError(msg)
            self._run(
                f"CREATE TABLE IF NOT EXISTS {STATE} "
                "(table_name VARCHAR PRIMARY KEY, progress VARCHAR NOT NULL)"
            )
            rows = self._run(sql("SELECT table_name, progress FROM {}", STATE)).fetchall()
        except (OSError, duckdb.Error) as error:
            raise self._failed(error) from error
        found = {}
        for table, text in rows:
            if table in tables and self._columns(table):
                found[table] = msgspec.json.decode(text, type=Progress)
            elif table in tables:
                note_removed(table, self.place)
        self._staged = {table for table, progress in found.items() if progress.is_staged}
        return found

    def write(self, commit: Commit) -> None:
        """Write rows and progress in one transaction.

        Args:
            commit: The rows and the progress.

        Raises:
            RefusedError: The rows do not fit the table in the database.
            DestinationError: The file can't be written.
        """
        staged = {*self._staged}
        try:
            self._run("BEGIN")
            try:
                self._write(commit)
                self._run("COMMIT")
            except BaseException:
                self._staged = staged
                # DuckDB itself ends the transaction if the disk is full.
                with suppress(duckdb.TransactionException):
                    self._run("ROLLBACK")
                raise
            finally:
                self._open.unregister(ROWS)
        except REFUSALS as error:
            reason = printable(str(error))
            msg = f"DuckDB refuses the rows of {commit.table.name!r}: {reason}"
            raise RefusedError(msg) from error
        except duckdb.Error as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()

    def _write(self, commit: Commit) -> None:
        table, load = commit.table, commit.load
        staging = f"{STAGED}{table.name}"
        if load is None or load.begins:
            self._run(sql("DROP TABLE IF EXISTS {}", staging))
            self._staged.discard(table.name)
            if load is not None and self._has_rows(table.name):
                self._staged.add(table.name)
        is_staged = table.name in self._staged
        rows, deleted = without_deleted(commit.rows)
        self._upsert(staging if is_staged else table.name, table, rows, deleted)
        if is_staged and load is not None and load.ends:
            self._end_load(staging, table, replaces=load.replaces)
        progress = Progress.after(commit, is_staged=is_staged)
        self._run(
            sql("INSERT OR REPLACE INTO {} VALUES (?, ?)", STATE),
            [table.name, msgspec.json.encode(progress).decode()],
        )

    def _upsert(self, name: str, table: ExportedTable, rows: pa.Table, deleted: pa.Table) -> None:
        """Make the table or add columns to it, and replace the rows with the same keys."""
        self._prepare(name, table, rows)
        for part in (rows, deleted):
            if table.key and part.num_rows:
                self._open.register(ROWS, part)
                self._delete(name, ROWS, table.key)
        if rows.num_rows:
            self._open.register(ROWS, rows)
            self._run(sql("INSERT INTO {} BY NAME SELECT * FROM {}", name, ROWS))

    def _prepare(self, name: str, table: ExportedTable, rows: pa.Table) -> None:
        self._open.register(ROWS, rows.slice(0, 0))
        wanted, found = self._columns(ROWS), self._columns(name)
        if not found:
            self._run(sql("CREATE TABLE {} AS FROM {}", name, ROWS))
            for column in table.key:
                self._run(sql("ALTER TABLE {} ALTER {} SET NOT NULL", name, column))
            return
        for column, kind in wanted.items():
            if column not in found:
                self._run(sql("ALTER TABLE {} ADD COLUMN {} {kind}", name, column, kind=kind))
            elif found[column] != kind:
                # DuckDB would convert values, and round some.
                raise retyped(table.name, column, found[column], kind)

    def _end_load(self, staging: str, table: ExportedTable, *, replaces: bool) -> None:
        """Put the rows of a load in the place of those that were there before."""
        if replaces:
            self._run(sql("DROP TABLE {}", table.name))
            self._run(sql("ALTER TABLE {} RENAME TO {}", staging, table.name))
        else:
            if table.key:
                self._delete(table.name, staging, table.key)
            insert = "INSERT INTO {} BY NAME SELECT * FROM {}"
            self._run(sql(insert, table.name, staging))
            self._run(sql("DROP TABLE {}", staging))
        self._staged.discard(table.name)

    def _delete(self, name: str, others: str, key: Sequence[str]) -> None:
        """Delete the rows of a table whose keys another table has."""
        same = " AND ".join(sql("old.{} = new.{}", part, part) for part in key)
        self._run(
            sql("DELETE FROM {} AS old USING {} AS new WHERE {same}", name, others, same=same)
        )

    def _has_rows(self, name: str) -> bool:
        found = self._columns(name)
        return bool(found and self._run(sql("SELECT 1 FROM {} LIMIT 1", name)).fetchall())

    def _columns(self, name: str) -> dict[str, str]:
        """Return the columns of a table or view with their types; none if it does not exist."""
        # Views of rows are in the database "temp". Other schemas may have tables of the same name.
        found = self._run(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? "
            "AND schema_name = ? AND database_name IN (current_database(), 'temp') "
            "ORDER BY column_index",
            [name, SCHEMA],
        )
        return dict(found.fetchall())

    @property
    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            msg = "progress() opens the file"
            raise RuntimeError(msg)
        return self._connection

    def _run(self, statement: str, values: Sequence[object] = ()) -> duckdb.DuckDBPyConnection:
        return self._open.execute(statement, values or None)

    def _failed(self, error: Exception) -> DestinationError:
        reason = printable(str(error))
        return DestinationError(f"The DuckDB file {self._path} can't be written: {reason}")
