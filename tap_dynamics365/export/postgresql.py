"""PostgreSQL: the tables that target-postgres would make, filled by COPY.

So a pipeline with target-postgres can go on in the same tables. Rows are copied into a temporary
table first, and from there into the table, where they replace the rows with the same key.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_postgresql import dbapi

from tap_dynamics365.export.destination import (
    DELETED_AT,
    DestinationError,
    Progress,
    RefusedError,
    busy,
    note_removed,
    retyped,
)
from tap_dynamics365.export.postgresql_types import METADATA, converted, sql_type
from tap_dynamics365.export.sql_text import listed, quoted, sql
from tap_dynamics365.redaction import printable, redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_dynamics365.export.destination import Commit, ExportedTable
    from tap_dynamics365.export.postgresql_address import Address

#: The table with the progress, in the schema of the tables.
STATE = "_dynamics365_state"
# The temporary table with the rows of a commit.
ROWS = "_dynamics365_rows"
NOW = "(now() AT TIME ZONE 'UTC')"
# PostgreSQL stores no NUL characters. target-postgres replaces them in the same way.
NUL, REPLACEMENT = "\0", "\ufffd"
# The bytes of a name that PostgreSQL keeps. Some names of Finance & Operations have more.
NAME_BYTES = 63


class PostgreSQL:
    """A schema in a database of PostgreSQL.

    Args:
        address: The database and the schema, which is created.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection: dbapi.Connection | None = None
        self._started_at = time.time_ns() // 1_000_000
        # By table, and in each by the name in the database.
        self._columns: dict[str, dict[str, str]] = {}
        # The tables by their names in the database.
        self._tables: dict[str, str] = {}

    @property
    def place(self) -> str:
        """The host, the database and the schema."""
        return self._address.place

    def progress(self, tables: Sequence[str]) -> dict[str, Progress]:
        """Connect, and return how far tables are exported.

        Args:
            tables: The names of the tables.

        Raises:
            DestinationError: The database can't be reached, the user lacks permissions, or another
                export writes there.
        """
        with self._explained():
            if self._connection is None:
                self._connection = dbapi.connect(self._address.url)
            # The lock ends with the connection.
            lock = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
            if self._fetch(lock, f"{STATE} {self._schema}") != [(True,)]:
                raise busy(self.place)
            if not self._fetch("SELECT 1 FROM pg_namespace WHERE nspname = $1", self._schema):
                self._run(sql("CREATE SCHEMA {}", self._schema))
            create = (
                "CREATE TABLE IF NOT EXISTS {}.{} "
                "(table_name text PRIMARY KEY, progress jsonb NOT NULL)"
            )
            self._run(sql(create, self._schema, STATE))
            rows = self._fetch(
                sql("SELECT table_name, progress::text FROM {}.{}", self._schema, STATE)
            )
            found = {}
            for table, text in rows:
                if table in tables and self._existing(_stored(table)):
                    found[table] = msgspec.json.decode(text, type=Progress)
                elif table in tables:
                    note_removed(table, self.place)
            self._open.commit()
        self._tables = {_stored(table): table for table, _ in rows}
        return found

    def write(self, commit: Commit) -> None:
        """Write rows and progress in one transaction.

        Args:
            commit: The rows and the progress.

        Raises:
            RefusedError: The rows do not fit the table in the database.
            DestinationError: The connection failed.
        """
        with self._explained(commit.table.name):
            try:
                self._write(commit)
                self._open.commit()
            except BaseException:
                self._columns.pop(commit.table.name, None)
                self._roll_back()
                raise

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _write(self, commit: Commit) -> None:
        table, load = commit.table, commit.load
        self._prepare(table)
        if commit.rows.num_rows:
            self._upsert(commit)
        if load is not None and load.ends and load.replaces:
            self._end_load(table, load.number)
        upsert = (
            "INSERT INTO {}.{} VALUES ($1, $2::jsonb) "
            "ON CONFLICT (table_name) DO UPDATE SET progress = excluded.progress"
        )
        self._run(
            sql(upsert, self._schema, STATE),
            table.name,
            msgspec.json.encode(Progress.after(commit)).decode(),
        )

    def _prepare(self, table: ExportedTable) -> None:
        """Make the table, or add the columns that it lacks.

        Raises:
            RefusedError: A name is the same as another one in the database, or a column has
                another type there.
        """
        if self._columns.get(table.name, {}).keys() >= {*map(_stored, table.schema.names)}:
            return
        other = self._tables.setdefault(_stored(table.name), table.name)
        if other != table.name:
            raise _same_names(other, table.name)
        kinds = {name: sql_type(table.properties.get(name, {})) for name in table.schema.names}
        wanted = {**_by_stored_name(kinds), **METADATA}
        found = self._existing(_stored(table.name))
        for name, kind in wanted.items():
            if (before := found.get(name, kind)) != kind:
                # PostgreSQL would convert values, and round some.
                raise retyped(table.name, name, before, kind, change_first=True)
        if not found:
            columns = [sql("{} {kind}", name, kind=kind) for name, kind in wanted.items()]
            if table.key:
                columns.append(f"PRIMARY KEY ({listed(table.key)})")
            create = "CREATE TABLE {}.{} ({columns})"
            self._run(sql(create, self._schema, table.name, columns=", ".join(columns)))
        else:
            for name in wanted.keys() - found.keys():
                add = "ALTER TABLE {}.{} ADD COLUMN {} {kind}"
                self._run(sql(add, self._schema, table.name, name, kind=wanted[name]))
        self._columns[table.name] = {**wanted, **found}

    def _existing(self, name: str) -> dict[str, str]:
        """Return the columns of a table with their types; none if the table does not exist."""
        rows = self._fetch(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
            "JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE nspname = $1 AND relname = $2 AND attnum > 0 AND NOT attisdropped",
            self._schema,
            name,
        )
        return dict(rows)

    def _upsert(self, commit: Commit) -> None:
        """Copy rows into a temporary table, and from there into the table."""
        table, kinds = commit.table, self._columns[commit.table.name]
        with self._open.cursor() as cursor:
            rows = _without_nul(commit.rows)
            cursor.adbc_ingest(ROWS, rows.to_reader(), mode="create", temporary=True)
        values = {
            field.name: converted(quoted(field.name), field.type, kinds[_stored(field.name)])
            for field in rows.schema
        }
        values = {DELETED_AT: "NULL", **values, **self._metadata(commit)}
        insert = "INSERT INTO {}.{} ({columns}) SELECT {values} FROM pg_temp.{}"
        if table.key:
            insert += " ON CONFLICT ({key}) DO UPDATE SET {changed}"
        others = [name for name in values if name not in table.key]
        statement = sql(
            insert,
            *(self._schema, table.name, ROWS),
            columns=listed(values),
            values=", ".join(values.values()),
            key=listed(table.key),
            changed=", ".join(sql("{} = excluded.{}", name, name) for name in others),
        )
        self._run(statement)
        self._run(sql("DROP TABLE pg_temp.{}", ROWS))

    def _metadata(self, commit: Commit) -> dict[str, str]:
        """Return the values of the columns that the target adds, as SQL."""
        # Not below the number of the load, by which the rows of earlier loads are told.
        number = commit.load.number if commit.load is not None else 0
        return {
            "_sdc_extracted_at": NOW,
            "_sdc_received_at": NOW,
            "_sdc_batched_at": NOW,
            "_sdc_sequence": str(time.time_ns() // 1_000_000),
            "_sdc_table_version": "NULL" if commit.version is None else str(commit.version),
            "_sdc_sync_started_at": str(max(self._started_at, number)),
        }

    def _end_load(self, table: ExportedTable, number: int) -> None:
        """Mark the rows that the load did not read. Without a key, rows are replaced as a whole."""
        is_old = "(_sdc_sync_started_at IS NULL OR _sdc_sync_started_at < $1)"
        if table.key:
            change = "UPDATE {}.{} SET {} = {now} WHERE {is_old} AND {} IS NULL"
        else:
            change = "DELETE FROM {}.{} WHERE {is_old}"
        names = (self._schema, table.name, DELETED_AT, DELETED_AT)
        self._run(sql(change, *names, now=NOW, is_old=is_old), number)

    @property
    def _schema(self) -> str:
        return self._address.schema

    @property
    def _open(self) -> dbapi.Connection:
        if self._connection is None:
            msg = "progress() connects"
            raise RuntimeError(msg)
        return self._connection

    def _run(self, statement: str, *values: object) -> None:
        with self._open.cursor() as cursor:
            cursor.execute(statement, values or None)

    def _fetch(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._open.cursor() as cursor:
            cursor.execute(query, values or None)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _roll_back(self) -> None:
        """Roll back. A connection that is lost has nothing to roll back."""
        with suppress(dbapi.Error):
            self._open.rollback()

    @contextmanager
    def _explained(self, table: str = "") -> Iterator[None]:
        """Translate the errors of the database."""
        try:
            yield
        except dbapi.Error as error:
            reason = redact(printable(str(error)), self._address.secrets)
            is_refusal = isinstance(
                error, (dbapi.DataError, dbapi.IntegrityError, dbapi.ProgrammingError)
            )
            if table and is_refusal:
                msg = f"{self.place} refuses the rows of {table!r}: {reason}"
                raise RefusedError(msg) from error
            msg = f"{self.place} can't be written: {reason}"
            raise DestinationError(msg) from error


def _stored(name: str) -> str:
    """Return the name that PostgreSQL makes of a name."""
    return name.encode()[:NAME_BYTES].decode(errors="ignore")


def _by_stored_name(kinds: Mapping[str, str]) -> dict[str, str]:
    """Return the types of columns by their names in the database.

    Raises:
        RefusedError: Two columns have the same name there.
    """
    names: dict[str, str] = {}
    for name in kinds:
        if (other := names.setdefault(_stored(name), name)) != name:
            raise _same_names(other, name)
    return {stored: kinds[name] for stored, name in names.items()}


def _same_names(one: str, other: str) -> RefusedError:
    return RefusedError(
        f"{one!r} and {other!r} have the same name in PostgreSQL, which keeps {NAME_BYTES} bytes "
        "of a name. Export to another kind of destination, such as duckdb:FILE."
    )


def _without_nul(rows: pa.Table) -> pa.Table:
    """Replace NUL characters, which hardly any column has."""
    for number, field in enumerate(rows.schema):
        if pa.types.is_string(field.type) and _has_nul(rows.column(number)):
            clean = pc.replace_substring(rows.column(number), NUL, REPLACEMENT)
            rows = rows.set_column(number, field, clean)
    return rows


def _has_nul(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.match_substring(column, NUL)).as_py())
