"""Store of the rows: one SQLite database in a temporary folder.

A value is stored so that SQLite compares it as the service does: decimals as exact text under a
collation that compares numbers, points in time as text without the final Z (so that fractions of a
second sort after the whole second), text under a case-insensitive collation.
"""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.data.guids import sortable_sql
from sandbox.data.model import CHOICES, EXACT_TEXT, FIRST_VERSION, INTEGERS, OBJECTS, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sandbox.data.model import Column, Model, Table
    from sandbox.data.rows import Batch

UNCOLLATED = frozenset(
    {"Edm.Guid", "Edm.DateTimeOffset", "Edm.Date", "Edm.TimeOfDay", "Edm.Duration", "Edm.Binary"}
)
OWN_TABLE, KEY_ORDER = "@table", "@order"


@dataclass(frozen=True)
class Snapshot:
    """The contents of a store.

    Attributes:
        database: Content of the database file.
        version: Last version number that was given to a change.
    """

    database: bytes
    version: int


def quoted(name: str) -> str:
    """Return a name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def fold(text: str | None) -> str | None:
    """Return a text case-folded, for letters that SQLite's own comparison does not fold."""
    return None if text is None else str(text).casefold()


def _compare_numbers(left: str, right: str) -> int:
    one, two = Decimal(left), Decimal(right)
    return (one > two) - (one < two)


def order_of(table: Table, column: Column) -> str:
    """Return the SQL expression by which a column is sorted and compared."""
    name = column.property_name
    if column.edm_type != "Edm.Guid":
        return quoted(name)
    # A view of several tables has the expression as a column, so that the tables' indexes apply.
    if table.union_of and table.row_key == (name,):
        return quoted(KEY_ORDER)
    return sortable_sql(quoted(name))


def order_of_key(table: Table) -> str:
    """Return the SQL expressions by which rows are in the order of their keys."""
    return ", ".join(order_of(table, table.by_property[name]) for name in table.row_key)


def declaration(column: Column, collation: str) -> str:
    """Return type and collation of a column in SQL.

    Args:
        column: The column.
        collation: Collation of texts.
    """
    if column.edm_type in INTEGERS or column.kind in CHOICES:
        return "INTEGER"
    if column.edm_type in EXACT_TEXT:
        return "TEXT COLLATE DECIMAL"
    if column.edm_type in UNCOLLATED or column.kind in OBJECTS:
        return "TEXT"
    return f"TEXT COLLATE {collation}"


class Store:
    """Rows of a model's tables, and the version number of the database.

    Args:
        model: The tables.
        prepare: Called with each connection, to add functions.
        snapshot: Contents to start with.

    Attributes:
        version: Last version number that was given to a change.
        open: Version number before each transaction that is not committed, by the transaction's
            number.
        writing: Lock that is held while rows are written, and by readers whose queries must agree.
    """

    def __init__(
        self,
        model: Model,
        prepare: Callable[[sqlite3.Connection], None] | None = None,
        snapshot: Snapshot | None = None,
    ) -> None:
        self.model = model
        self._prepare = prepare
        self.version = FIRST_VERSION
        self.open: dict[int, int] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="dynamics365-sandbox-")
        self._path = Path(self._folder.name) / "rows.db"
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._changes: dict[str, int] = {}
        self.writing = threading.RLock()
        if snapshot:
            self._path.write_bytes(snapshot.database)
            self.version = snapshot.version
            self._writer = self._connect()
            return
        self._writer = self._connect()
        # There are no readers yet, so there is no journal until the rows are written.
        self._writer.execute("PRAGMA journal_mode=OFF")
        for table in model.tables:
            self._create(table)
        self._writer.execute(
            "CREATE TABLE [@deleted] (name TEXT, id TEXT, version INTEGER, PRIMARY KEY (name, id))"
        )
        self._writer.commit()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, cached_statements=256)
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-64000")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.create_collation("DECIMAL", _compare_numbers)
        connection.create_function("fold", 1, fold, deterministic=True)
        if self._prepare:
            self._prepare(connection)
        self._connections.append(connection)
        return connection

    def _create(self, table: Table) -> None:
        name = quoted(table.name)
        if table.union_of:
            columns = ", ".join(quoted(stored) for stored in self.stored_columns(table))
            order = sortable_sql(quoted(table.primary_id))
            parts = (
                f"SELECT {columns}, '{part}' AS {quoted(OWN_TABLE)}, {order} AS {quoted(KEY_ORDER)}"  # noqa: S608  - names of the model
                f" FROM {quoted(part)}"
                for part in table.union_of
            )
            self._writer.execute(f"CREATE VIEW {name} AS {' UNION ALL '.join(parts)}")
            return
        if not table.set_name:
            return
        declared = [
            f"{quoted(column.property_name)} {declaration(column, self.model.collation)}"
            for column in table.columns
            if column.kind is not Kind.STREAM
        ]
        declared += [
            f"{quoted(column.type_column)} TEXT"
            for column in table.columns
            if column.is_polymorphic
        ]
        self._writer.execute(f"CREATE TABLE {name} ({', '.join(declared)})")

    def _index(self, table: Table) -> None:
        keys = ", ".join(quoted(part) for part in table.row_key)
        name = quoted(f"{table.name} by key")
        self._writer.execute(f"CREATE UNIQUE INDEX {name} ON {quoted(table.name)} ({keys})")
        order = ", ".join(order_of(table, table.by_property[part]) for part in table.row_key)
        if order != keys:
            name = quoted(f"{table.name} in order")
            self._writer.execute(f"CREATE INDEX {name} ON {quoted(table.name)} ({order})")
        for stamp in ("modifiedon", "versionnumber", "createdon", "lastModifiedDateTime"):
            if stamp in table.by_property:
                self._writer.execute(
                    f"CREATE INDEX {quoted(f'{table.name} by {stamp}')} ON {quoted(table.name)} "
                    f"({quoted(stamp)}, {order})"
                )

    def add(self, table: Table) -> None:
        """Create the database table of a new table."""
        with self.writing, self._writer:
            self._create(table)
            self._index(table)

    def stored_columns(self, table: Table) -> list[str]:
        """Return the names of a table's columns in the database."""
        names = [column.property_name for column in table.columns if column.kind is not Kind.STREAM]
        return names + [column.type_column for column in table.columns if column.is_polymorphic]

    def fill(self, batches: Iterable[Batch]) -> None:
        """Fill the tables with rows.

        Args:
            batches: The rows. Each row has a version number of its own, which continues
                `version`.
        """
        for batch in batches:
            if batch.repeats:
                self._insert("batch", batch, create=True)
                self.version += self._repeat(batch)
                self._writer.execute("DROP TABLE temp.batch")
            else:
                self.version += self._insert(batch.table.name, batch)
        for table in self.model.tables:
            if table.set_name and not table.union_of:
                self._index(table)
        self._writer.execute("PRAGMA analysis_limit=1000")
        self._writer.execute("ANALYZE")
        self._writer.commit()
        self._writer.execute("PRAGMA journal_mode=WAL")

    def snapshot(self) -> Snapshot:
        """Return the contents of the store."""
        return Snapshot(self._writer.serialize(), self.version)

    def _insert(self, name: str, batch: Batch, *, create: bool = False) -> int:
        names = ", ".join(quoted(column) for column in batch.columns)
        marks = ", ".join("?" * len(batch.columns))
        if create:
            self._writer.execute(f"CREATE TEMP TABLE {quoted(name)} ({names})")
        sql = f"INSERT INTO {quoted(name)} ({names}) VALUES ({marks})"  # noqa: S608  - names of the model
        return self._writer.executemany(sql, batch.rows).rowcount

    def _repeat(self, batch: Batch) -> int:
        """Insert rows that take missing columns from the first rows of their table."""
        own = [quoted(column) for column in batch.columns]
        lacking = {quoted(column) for column in self.stored_columns(batch.table)} - set(own)
        cells = [f"batch.{name}" for name in own] + [f"first.{name}" for name in lacking]
        name = quoted(batch.table.name)
        return self._writer.execute(
            f"INSERT INTO {name} ({', '.join([*own, *lacking])}) SELECT {', '.join(cells)} "  # noqa: S608  - names of the model
            f"FROM temp.batch JOIN {name} AS first ON first.rowid = batch.rowid"
        ).rowcount

    def count(self, table: Table, where: str = "1", parameters: Sequence[Any] = ()) -> int:
        """Return the number of rows of a table that meet a condition.

        Args:
            table: The table.
            where: The condition in SQL.
            parameters: Its parameters.
        """
        sql = f"SELECT count(*) FROM {quoted(table.name)} WHERE {where}"  # noqa: S608  - names of the model
        return int(self.select(sql, parameters)[0][0])

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; each thread has a connection of its own."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            connection.text_factory = bytes
        return connection.execute(sql, parameters).fetchall()

    def next_version(self) -> int:
        """Return the next version number of the database."""
        self.version += 1
        return self.version

    @property
    def settled_version(self) -> int:
        """Last version number up to which all changes are visible."""
        with self.writing:
            return min([self.version, *self.open.values()])

    def change(self, table: Table, statements: Iterable[tuple[str, Sequence[Any]]]) -> list[int]:
        """Write in one transaction.

        Args:
            table: The table that is written to.
            statements: SQL statements with their parameters.

        Returns:
            Number of affected rows of each statement.
        """
        with self.writing:
            with self._writer:
                counts = [self._writer.execute(sql, values).rowcount for sql, values in statements]
            # Only now that the change is visible: what was read before is stale from here on.
            self._changes[table.name] = self._changes.get(table.name, 0) + 1
        return counts

    @property
    def all_changes(self) -> int:
        """Number of writes to all tables."""
        return sum(self._changes.values())

    def changes(self, table: Table) -> int:
        """Return the number of writes to a table, by which cached responses become stale."""
        names = (*table.union_of, table.name)
        return sum(self._changes.get(name, 0) for name in names)

    def close(self) -> None:
        """Close the database and remove its folder."""
        for connection in self._connections:
            connection.close()
        self._folder.cleanup()
