"""Destination: where an export writes the rows of tables, and how far it has come."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tap_dynamics365.errors import Dynamics365Error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

logger = logging.getLogger("tap-dynamics365.export")

#: The column with the time at which a row was deleted in the service. Only rows of LOG_BASED tables
#: have it. A row with a value has its key, and nothing else.
DELETED_AT = "_sdc_deleted_at"


class DestinationError(Dynamics365Error):
    """The destination can't be reached or written, so that the export ends."""


class RefusedError(Dynamics365Error):
    """The destination refuses the rows of one table. The other tables go on."""


def busy(place: str) -> DestinationError:
    """Return the error for a destination that another export writes to.

    Args:
        place: The destination.
    """
    return DestinationError(f"Another export writes to {place}: wait until it has ended.")


def retyped(
    table: str, column: str, before: object, now: object, *, change_first: bool = False
) -> RefusedError:
    """Return the error for a column whose type has changed in the service.

    Args:
        table: The table.
        column: The column.
        before: The type at the destination.
        now: The type of the rows.
        change_first: Whether the user has to change the type at the destination before.
    """
    first = "Change the type at the destination. Then run" if change_first else "Run"
    return RefusedError(
        f"The column {column!r} of {table!r} is {before} at the destination, and the service now "
        f"has {now}. {first} with --full to export the table from its beginning."
    )


@dataclass(frozen=True)
class ExportedTable:
    """A table that is exported.

    Attributes:
        name: The name of the table, at the destination too.
        schema: The columns of the rows.
        key: The columns that identify a row; empty if there are none.
        properties: The JSON Schema of each column, as the catalog has it.
        origin: The environment of the rows, see `origin`.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    properties: Mapping[str, Mapping[str, Any]]
    origin: str = ""


@dataclass(frozen=True)
class Load:
    """A read of all rows of a table, which may take several runs.

    Attributes:
        number: When it began, in milliseconds since 1970. A later load has a greater number.
        begins: Whether the commit is the first one of the load.
        ends: Whether the commit is the last one.
        replaces: At the end: whether rows that the load did not read are gone from the service.
    """

    number: int
    begins: bool = False
    ends: bool = False
    replaces: bool = False


@dataclass(frozen=True)
class Commit:
    """Rows of a table, and how far the table is read with them. Both are written, or neither.

    Attributes:
        table: The table.
        rows: The rows. Each key is there once.
        bookmark: The entry of the table in the Singer state after the rows.
        load: The load that the rows belong to; None if they are changes since the last run.
    """

    table: ExportedTable
    rows: pa.Table
    bookmark: Mapping[str, Any]
    load: Load | None = None

    @property
    def version(self) -> int | None:
        """The table version that the rows carry, if there is one."""
        return self.bookmark.get("version")

    @property
    def unfinished_load(self) -> int | None:
        """The number of the load that later commits continue; None if there is none."""
        return None if self.load is None or self.load.ends else self.load.number


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a table is exported, as the destination keeps it.

    Attributes:
        bookmark: The entry of the table in the Singer state.
        load: The number of the load that is in progress; None if the last one has ended.
        is_staged: Whether the rows of that load are kept apart, because the table has older rows.
        origin: The environment of the rows.
    """

    bookmark: dict[str, Any]
    load: int | None = None
    is_staged: bool = False
    origin: str = ""

    @classmethod
    def after(cls, commit: Commit, *, is_staged: bool = False) -> Progress:
        """Return the progress after a commit.

        Args:
            commit: The commit.
            is_staged: Whether the rows of its load are kept apart.
        """
        load = commit.unfinished_load
        is_apart = load is not None and is_staged
        return cls(dict(commit.bookmark), load, is_apart, commit.table.origin)


def note_removed(table: str, place: str) -> None:
    """Log that a table is exported from its beginning, because somebody has removed it.

    Args:
        table: The table.
        place: The destination.
    """
    logger.warning(
        "The table %r is no longer in %s, so it is exported from its beginning.", table, place
    )


class Destination(Protocol):
    """Where the rows of tables go. One thread calls the methods, after each other."""

    @property
    def place(self) -> str:
        """The destination as messages name it, without secrets."""

    def progress(self, tables: Sequence[str]) -> dict[str, Progress]:
        """Open the destination, and return how far tables are exported.

        What an interrupted run has left half done is removed or completed before.

        Args:
            tables: The names of the tables.

        Returns:
            The progress by table. A table without progress was never exported, or is gone.

        Raises:
            DestinationError: The destination can't be read.
        """

    def write(self, commit: Commit) -> None:
        """Write rows together with the progress. They are durable when this method returns.

        Args:
            commit: The rows and the progress.

        Raises:
            RefusedError: The destination refuses the rows. None of them was written.
            DestinationError: The destination can't be written.
        """

    def close(self) -> None:
        """Free what the destination holds."""
