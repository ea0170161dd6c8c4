"""Delta tables: a Delta table for each table, in which rows replace those with the same key.

The progress of a table is a property of its Delta table, written after the rows. If a run ends in
between, the next run reads these rows again, and they replace themselves.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Field, Schema, write_deltalake
from deltalake.exceptions import DeltaError, SchemaMismatchError, TableNotFoundError

from tap_dynamics365.export.destination import (
    DELETED_AT,
    DestinationError,
    Progress,
    RefusedError,
    retyped,
)
from tap_dynamics365.export.folder_lock import FolderLock
from tap_dynamics365.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_dynamics365.export.destination import Commit, ExportedTable

#: The property of a Delta table with the progress of its table.
STATE: Final = "dynamics365.progress"
# The folder of the tables that replace others at the end of a load.
STAGED: Final = "_dynamics365_new"


class DeltaTables:
    """A folder, or a container of an object store, with a Delta table for each table.

    Args:
        root: The folder, or the URL of the container. For a URL, credentials are in the variables
            of the object store.
    """

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/")
        # An object store has no locks.
        self._lock = FolderLock(Path(self._root)) if "://" not in root else None
        self._staged: set[str] = set()

    @property
    def place(self) -> str:
        """The folder or URL."""
        return self._root

    def progress(self, tables: Sequence[str]) -> dict[str, Progress]:
        """Return how far each table is exported.

        Args:
            tables: The names of the tables.

        Raises:
            DestinationError: A table can't be read, or another export writes there.
        """
        found = {}
        with self._explained():
            if self._lock is not None:
                self._lock.acquire()
            for name in tables:
                delta = self._existing(self._path(name))
                text = delta.metadata().configuration.get(STATE) if delta is not None else None
                if text:
                    found[name] = msgspec.json.decode(text, type=Progress)
        self._staged = {name for name, progress in found.items() if progress.is_staged}
        return found

    def write(self, commit: Commit) -> None:
        """Write the rows, and then the progress.

        Args:
            commit: The rows and the progress.

        Raises:
            RefusedError: The rows do not fit the Delta table.
            DestinationError: The table can't be written.
        """
        with self._explained(commit.table.name):
            self._write(commit)

    def close(self) -> None:
        """Unlock the folder."""
        if self._lock is not None:
            self._lock.release()

    def _write(self, commit: Commit) -> None:
        table, load = commit.table, commit.load
        main = self._made(self._path(table.name), table)
        staging = f"{self._root}/{STAGED}/{table.name}"
        if load is None or load.begins:
            self._staged.discard(table.name)
            self._remove(staging)
            if load is not None and main.count():
                self._staged.add(table.name)
        is_staged = table.name in self._staged
        target = self._made(staging, table) if is_staged else main
        if commit.rows.num_rows:
            _fit_columns(target, table)
            _upsert(target, commit.rows, table)
        ends = is_staged and load is not None and load.ends
        if ends and load is not None:
            _end_load(target, main, table, replaces=load.replaces)
            main = DeltaTable(main.table_uri)
        progress = msgspec.json.encode(Progress.after(commit, is_staged=is_staged)).decode()
        main.alter.set_table_properties({STATE: progress}, raise_if_not_exists=False)
        if ends:
            # Not before: until now, the progress says that the rows are there.
            self._staged.discard(table.name)
            self._remove(staging)

    def _path(self, table: str) -> str:
        return f"{self._root}/{table}"

    @staticmethod
    def _existing(path: str) -> DeltaTable | None:
        try:
            return DeltaTable(path)
        except TableNotFoundError:
            return None

    def _made(self, path: str, table: ExportedTable) -> DeltaTable:
        """Return a Delta table, which is made if it does not exist."""
        delta = self._existing(path)
        if delta is None:
            delta = DeltaTable.create(path, _without_mark(table.schema), name=table.name)
        return delta

    def _remove(self, staging: str) -> None:
        """Remove the rows of a load that are no longer needed."""
        delta = self._existing(staging)
        if delta is None:
            return
        if self._lock is not None:
            shutil.rmtree(staging)
        elif delta.count():
            delta.delete()
            delta.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)

    @contextmanager
    def _explained(self, table: str = "") -> Iterator[None]:
        """Translate the errors of deltalake."""
        try:
            yield
        except SchemaMismatchError as error:
            msg = f"The Delta table {table!r} refuses the rows: {printable(str(error))}"
            raise RefusedError(msg) from error
        except (DeltaError, OSError) as error:
            msg = f"Delta tables in {self._root} can't be written: {printable(str(error))}"
            raise DestinationError(msg) from error


def _fit_columns(delta: DeltaTable, table: ExportedTable) -> None:
    """Add the columns that a Delta table lacks."""
    found = _schema(delta)
    added = []
    for field in _without_mark(table.schema):
        if field.name not in found.names:
            added.append(field)
        elif (before := found.field(field.name).type) != field.type:
            raise retyped(table.name, field.name, before, field.type)
    if added:
        fields: list[Field] = Schema.from_arrow(pa.schema(added)).fields
        delta.alter.add_columns(fields)


def _upsert(delta: DeltaTable, rows: pa.Table, table: ExportedTable) -> None:
    """Replace the rows with the same keys, and remove those that were deleted in the service."""
    if table.key and _has_any(delta, rows, table.key):
        _merge(delta, rows, table.key)
        return
    if DELETED_AT in rows.column_names:
        rows = rows.filter(rows[DELETED_AT].is_null())
    # Much faster than MERGE, which compares all columns of all files.
    write_deltalake(delta, _fitted(rows, _schema(delta)), mode="append")


def _has_any(delta: DeltaTable, rows: pa.Table, key: Sequence[str]) -> bool:
    """Tell whether a table may have a row with one of the keys.

    Of a key with several columns, each is looked up by itself. So the answer may be yes in vain.
    """
    wanted = {column: rows[column].combine_chunks() for column in key}
    # Not as a filter of the dataset: it would be compared with statistics of another text type.
    for batch in delta.to_pyarrow_dataset().to_batches(columns=list(key)):
        found = (pc.is_in(batch[column], value_set=values) for column, values in wanted.items())
        if pc.any(reduce(pc.and_, found)).as_py():
            return True
    return False


def _merge(delta: DeltaTable, rows: pa.Table, key: Sequence[str]) -> None:
    if DELETED_AT not in rows.column_names:
        moments = pa.nulls(rows.num_rows, pa.timestamp("us", "UTC"))
        rows = rows.append_column(DELETED_AT, moments)
    source = _fitted(rows, _schema(delta)).append_column(DELETED_AT, rows[DELETED_AT])
    same = " AND ".join(f"old.`{column}` = new.`{column}`" for column in key)
    merge = delta.merge(source, same, source_alias="new", target_alias="old")
    merge = merge.when_matched_delete(f"new.{DELETED_AT} IS NOT NULL")
    merge = merge.when_matched_update_all(except_cols=[DELETED_AT])
    merge = merge.when_not_matched_insert_all(
        predicate=f"new.{DELETED_AT} IS NULL", except_cols=[DELETED_AT]
    )
    merge.execute()


def _end_load(
    staged: DeltaTable, main: DeltaTable, table: ExportedTable, *, replaces: bool
) -> None:
    """Put the rows of a load in the place of those that were there before, in one commit."""
    if replaces or not table.key:
        rows = staged.to_pyarrow_dataset().scanner().to_reader()
        write_deltalake(
            main,
            rows,
            mode="overwrite" if replaces else "append",
            schema_mode="overwrite" if replaces else "merge",
        )
        return
    _fit_columns(main, table)
    for batch in staged.to_pyarrow_dataset().to_batches():
        _merge(main, pa.table(batch), table.key)


def _without_mark(schema: pa.Schema) -> pa.Schema:
    """Return the columns of rows that exist: deleted rows are removed, not marked."""
    return pa.schema([field for field in schema if field.name != DELETED_AT])


def _schema(delta: DeltaTable) -> pa.Schema:
    return pa.schema(delta.schema().to_arrow())


def _fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with the columns of a table, in their order. Columns that are gone are null."""
    return pa.table(
        [
            rows[field.name]
            if field.name in rows.column_names
            else pa.nulls(rows.num_rows, field.type)
            for field in schema
        ],
        schema=schema,
    )
