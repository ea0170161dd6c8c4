"""Parquet files: a folder for each table, and a state file that lists the files that count.

A file is written under a temporary name. The state file then lists it together with the progress,
and at last the file gets its own name. So whatever ends a run, the state file tells which files to
keep, and which ones the next run removes.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq

from tap_dynamics365 import atomic_file
from tap_dynamics365.export.destination import (
    DestinationError,
    Progress,
    RefusedError,
    retyped,
)
from tap_dynamics365.export.folder_lock import FolderLock
from tap_dynamics365.export.latest_rows import NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tap_dynamics365.export.destination import Commit, ExportedTable

#: The file with the progress. Spark and others skip names that begin with an underscore.
STATE = "_dynamics365_state.json"
#: The column that tells which of several rows with the same key is the latest.
EXTRACTED_AT = "_sdc_extracted_at"
# The end of the name of a file that does not count yet.
PART = ".part"
MODE = 0o644
# Columns with more different values than fit into these bytes are written without a dictionary,
# which is faster, and smaller.
DICTIONARY_LIMIT = 2**17


class _Files(msgspec.Struct, omit_defaults=True):
    """The files of a table.

    Attributes:
        progress: How far the table is exported.
        files: The names of the files with its rows.
        staged: The names of files that replace the others at the end of a load.
        count: How many files were ever written, so that each has a name of its own.
    """

    progress: Progress
    files: list[str] = []
    staged: list[str] = []
    count: int = 0


class _State(msgspec.Struct):
    tables: dict[str, _Files] = {}


class ParquetFiles:
    """A folder with a folder of Parquet files for each table.

    Args:
        folder: The folder. It is created.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FolderLock(folder)
        self._state = _State()
        # The columns that have the types of the files before.
        self._checked: dict[str, pa.Schema] = {}
        # The greatest values of the replication key in the files, once a run has looked them up.
        self._greatest: dict[str, Any] = {}

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._folder)

    def progress(self, tables: Sequence[str]) -> dict[str, Progress]:
        """Return how far each table is exported, after removing files that do not count.

        Args:
            tables: The names of the tables.

        Raises:
            DestinationError: The folder can't be written, its state file can't be read, or another
                export writes there.
        """
        path = self._folder / STATE
        try:
            self._lock.acquire()
            if path.exists():
                self._state = msgspec.json.decode(atomic_file.read(path), type=_State)
            self._save()
            for name in self._state.tables:
                self._tidy(name)
        except OSError as error:
            raise self._failed(error) from error
        except msgspec.DecodeError as error:
            msg = (
                f"{path} is not a state file of dynamics365 export. Choose another folder, or "
                "remove the file to begin again."
            )
            raise DestinationError(msg) from error
        known = self._state.tables
        return {name: known[name].progress for name in tables if name in known}

    def write(self, commit: Commit) -> None:
        """Write the rows into a file, and the progress into the state file.

        Args:
            commit: The rows and the progress.

        Raises:
            RefusedError: The type of a column has changed.
            DestinationError: The folder can't be written.
        """
        try:
            self._write(commit)
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Unlock the folder."""
        self._lock.release()

    def _write(self, commit: Commit) -> None:
        table, load = commit.table.name, commit.load
        last = self._state.tables.get(table)
        files, count = (last.files, last.count) if last is not None else ([], 0)
        staged = last.staged if last is not None else []
        is_staged = last is not None and last.progress.is_staged
        if load is None or load.begins:
            is_staged, staged = load is not None and bool(files), []
        rows, before = commit.rows, staged if is_staged else files
        if load is None or not load.begins:
            for name in before:
                self._path(table, name)
        if rows.num_rows:
            self._check_types(commit.table, before)
            rows = self._without_known(commit, before)
        if rows.num_rows:
            count += 1
            written = [f"{table}-{count:06}.parquet"]
            self._write_file(self._folder / table / f"{written[0]}{PART}", rows)
            files, staged = (files, staged + written) if is_staged else (files + written, staged)
        if is_staged and load is not None and load.ends:
            files, staged = staged if load.replaces else files + staged, []
        progress = Progress.after(commit, is_staged=is_staged)
        self._state.tables[table] = _Files(progress, files, staged, count)
        self._save()
        self._tidy(table)

    def _check_types(self, table: ExportedTable, files: Sequence[str]) -> None:
        """Refuse rows whose columns have other types than those of the files before."""
        if files and self._checked.get(table.name) is not table.schema:
            before = pq.read_schema(self._path(table.name, files[-1]))
            for field in table.schema:
                at = before.get_field_index(field.name)
                if at >= 0 and before.field(at).type != field.type:
                    raise retyped(table.name, field.name, before.field(at).type, field.type)
        self._checked[table.name] = table.schema

    def _without_known(self, commit: Commit, files: Sequence[str]) -> pa.Table:
        """Leave out rows that a file has already, with the same value of the replication key.

        A run begins some minutes before the bookmark, so that rows that were committed late come
        too. And a read that fails in the middle may begin again.
        """
        table, rows, column = commit.table, commit.rows, _replication_key(commit.bookmark)
        if not table.key or column not in rows.column_names:
            return rows
        least, greatest = (pc.min_max(rows[column])[end].as_py() for end in ("min", "max"))
        if least is None:
            return rows
        before = self._greatest.get(table.name)
        if not files or (before is not None and before < least):
            self._greatest[table.name] = greatest
            return rows
        columns = [*dict.fromkeys((*table.key, column))]
        known = pyarrow.dataset.dataset(
            [str(self._path(table.name, name)) for name in files],
            schema=pa.schema([table.schema.field(name) for name in columns]),
        ).to_table(columns=columns, filter=pc.field(column) >= pa.scalar(least, rows[column].type))
        # Not only those of this commit: each company has an order of its own.
        ends = (before, greatest, pc.max(known[column]).as_py())
        self._greatest[table.name] = max(each for each in ends if each is not None)
        numbered = rows.select(columns).append_column(NUMBER, pa.array(range(rows.num_rows)))
        new = numbered.join(known, keys=columns, join_type="left anti")
        if new.num_rows == rows.num_rows:
            return rows
        return rows.take(pa.array(sorted(new[NUMBER].to_pylist()), pa.int64()))

    def _path(self, table: str, name: str) -> Path:
        """Return the path of a file that counts.

        Raises:
            RefusedError: Somebody has removed it.
        """
        path = self._folder / table / name
        part = path.with_name(f"{name}{PART}")
        found = next((each for each in (path, part) if each.exists()), None)
        if found is None:
            msg = (
                f"The file {path} is missing, with rows of {table!r}. Put it back, or run with "
                "--full to export the table from its beginning."
            )
            raise RefusedError(msg)
        return found

    @staticmethod
    def _write_file(path: Path, rows: pa.Table) -> None:
        """Write a file to the disk."""
        path.parent.mkdir(exist_ok=True)
        now = pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC"))
        moments = pa.repeat(now, rows.num_rows)
        with path.open("wb") as file:
            pq.write_table(
                rows.append_column(EXTRACTED_AT, moments),
                file,
                compression="zstd",
                dictionary_pagesize_limit=DICTIONARY_LIMIT,
            )
            file.flush()
            os.fsync(file.fileno())

    def _save(self) -> None:
        """Write the state file in one step."""
        content = msgspec.json.format(msgspec.json.encode(self._state), indent=2)
        atomic_file.write(self._folder / STATE, content, mode=MODE)

    def _tidy(self, table: str) -> None:
        """Give the files of a table their names, and remove the files that do not count."""
        folder, files = self._folder / table, self._state.tables[table]
        counted, staged = {*files.files}, {f"{name}{PART}" for name in files.staged}
        for name in self._own_files(folder):
            whole = name.removesuffix(PART)
            if name.endswith(PART) and whole in counted:
                (folder / name).replace(folder / whole)
            elif name not in counted and name not in staged:
                (folder / name).unlink()

    @staticmethod
    def _own_files(folder: Path) -> Iterator[str]:
        """Yield the names of the files that an export has written. Others are left alone."""
        pattern = re.compile(rf"{re.escape(folder.name)}-\d{{6,}}\.parquet(\{PART})?")
        if folder.is_dir():
            yield from [path.name for path in folder.iterdir() if pattern.fullmatch(path.name)]

    def _failed(self, error: OSError) -> DestinationError:
        reason = atomic_file.error_text(error)
        return DestinationError(f"The folder {self._folder} can't be written: {reason}.")


def _replication_key(bookmark: Mapping[str, Any]) -> str:
    """Return the replication key of a table; empty if it has none."""
    entries = (bookmark, *bookmark.get("partitions", ()))
    return next((key for entry in entries if (key := entry.get("replication_key"))), "")
