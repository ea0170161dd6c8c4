"""Through parents: replication of rows that can only be read through the rows of other tables.

INCREMENTAL: where the rows have no time of change of their own, that of their parent decides.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tap_dynamics365.errors import Failure, ServiceError
from tap_dynamics365.extract.full_table import begin_version, finish_part, usable
from tap_dynamics365.extract.methods import note_future

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Sequence

    from tap_dynamics365.extract.bookmark import Bookmark
    from tap_dynamics365.extract.read import TableRead
    from tap_dynamics365.extract.table import Table
    from tap_dynamics365.services.parent_path import ParentPath

# Refusals of all rows of a parent. Rows of other parents may be readable.
REFUSED = {Failure.DENIED, Failure.GONE, Failure.NEEDS_PARENT, Failure.NOT_UNDERSTOOD}
# The state names no more parents of one kind: then all of them are read again.
MOST_NAMED = 1_000

# Stands for the ids of all rows of a parent.
EVERY = "*"

NO_WAY = (
    "The rows can only be read through those of another table, and the metadata document of the "
    "service names none that leads to them. Leave the table out."
)


class ThroughParents:
    """Rows that are read through those of their parents.

    Args:
        table: The table.
        bookmark: How far it was read; None for FULL_TABLE.
        unread: Returns the parents whose rows could not be read in this run.
    """

    def __init__(
        self,
        table: Table,
        bookmark: Bookmark | None,
        unread: Callable[[], Collection[tuple[str, str]]],
    ) -> None:
        self._table = table
        self._bookmark = bookmark
        self._unread = unread
        # By path.
        self._refusals: dict[str, ServiceError] = {}

    def reads(self) -> Generator[TableRead, None, None]:
        """Yield a read for each parent, and one of the parents that failed in the run before."""
        paths = self._table.spec.parents()
        if not paths:
            raise ServiceError(NO_WAY)
        if self._bookmark is None:
            yield from self._all_rows(paths)
        else:
            yield from self._changed_rows(paths, self._bookmark)

    def _all_rows(self, paths: Sequence[ParentPath]) -> Generator[TableRead, None, None]:
        table = self._table
        table.at_end = {"full_table": None}
        done = usable(table, (), table.state.entry) if begin_version(table, ()) else None
        if done is not None:
            # This part was read by the run before, which was interrupted in another part.
            table.is_incomplete = done.incomplete
            return
        for path in paths:
            yield from self._tried(path, self._table.read(through=path))
        self._conclude(paths)
        table.state.change(unread_parents=self._left())
        finish_part(table, ())

    def _changed_rows(
        self, paths: Sequence[ParentPath], bookmark: Bookmark
    ) -> Generator[TableRead, None, None]:
        table = self._table
        note_future(table, bookmark)
        start, until = bookmark.start(), bookmark.before_now(table.late_seconds)
        again = [*map(tuple, table.state.entry.unread_parents or ())]
        for path in paths:
            ids = [each for name, each in again if name == path.name]
            if EVERY in ids:
                yield from self._tried(path, table.read(through=path))
                continue
            if ids:
                yield from self._tried(path, table.read(through=path, parent_ids=ids))
            yield from self._tried(path, self._changes(path, start))
        self._conclude(paths)
        bookmark.complete_at(until, has_nulls=False, unread_parents=self._left())

    def _changes(self, path: ParentPath, start: str | int | None) -> TableRead:
        """Make the read of the rows that have changed, or whose parents have."""
        table, key = self._table, self._table.spec.replication_key or ""
        if start is None:
            return table.read(through=path)
        # A first run from a start date includes rows without a date.
        is_first = table.state.entry.replication_key_value is None
        if key != table.spec.changed_at:
            condition = self._since(key, table.condition_without_key if is_first else None, start)
            return table.read(through=path, condition=condition)
        if not path.changed_at:
            return table.read(through=path)
        blank = table.without_date(path.changed_at) if is_first else None
        return table.read(through=path, parent_condition=self._since(path.changed_at, blank, start))

    @staticmethod
    def _since(column: str, blank: str | None, start: str | int) -> str:
        later = f"{column} ge {start}"
        return later if blank is None else f"({later} or {blank})"

    def _tried(self, path: ParentPath, read: TableRead) -> Generator[TableRead, None, None]:
        """Yield a read, and go on with the next parent if the service refuses this one."""
        try:
            yield read
        except ServiceError as error:
            if error.failure is Failure.LINK_LOST:
                yield read
            elif error.failure in REFUSED:
                self._refusals[path.name] = error
            else:
                raise

    def _left(self) -> list[tuple[str, str]] | None:
        """Return the parents that the next run has to try again; None if there are none."""
        counts = Counter(name for name, _ in self._unread())
        every = {*self._refusals, *(name for name, count in counts.items() if count > MOST_NAMED)}
        named = [(name, each) for name, each in self._unread() if name not in every]
        return [*named, *((name, EVERY) for name in sorted(every))] or None

    def _conclude(self, paths: Sequence[ParentPath]) -> None:
        """Raise if no parent could be read, and note whether rows are missing."""
        if len(self._refusals) == len(paths):
            raise next(iter(self._refusals.values()))
        for name, error in self._refusals.items():
            self._table.logger.warning(
                "The rows of %r can't be read through %s. %s",
                self._table.name,
                name.partition("/")[0],
                error.message,
            )
        unread = self._unread()
        self._table.is_incomplete = bool(unread or self._refusals)
        if unread:
            self._table.logger.warning(
                "%r lacks the rows of %d parent%s, for the reasons logged above.",
                self._table.name,
                len(unread),
                "" if len(unread) == 1 else "s",
            )
