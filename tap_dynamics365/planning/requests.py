"""Requests: how many a run makes for one part of a table, from how the tap reads it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from tap_dynamics365.extract.read import FULL_TABLE, INCREMENTAL, LOG_BASED
from tap_dynamics365.extract.reader import TableReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_dynamics365.extract.table import Table, TableSpec
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.services.parent_path import ParentPath
    from tap_dynamics365.settings import Settings

# A table that is read in ranges takes one more request for so many pages, because ranges end within
# a page.
PAGES_A_RANGE = 10


class Needed(NamedTuple):
    """What a run needs for a part of a table. None is unknown.

    Attributes:
        rows: How many rows it sends.
        requests: How many requests it makes.
    """

    rows: int | None
    requests: int | None


class Size(NamedTuple):
    """The size of a part of a table.

    Attributes:
        rows: How many rows it has; None if unknown.
        page: The rows of a page.
        parents: How many rows each parent has, by the name of the path. None, or none of the name,
            if unknown.
        most_parents: The parents that are requested together.
    """

    rows: int | None
    page: int
    parents: Mapping[str, int | None]
    most_parents: int


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a part of a table is read.

    Attributes:
        is_tracked: Whether the service is asked for changes.
        is_full: Whether each run reads all rows.
        is_sorted: Whether rows are sorted by the replication key, so that a run sends the last one
            again.
        is_ranged: Whether several pages may be requested at the same time.
        has_number_key: Whether the replication key is a number. Then the second run reads from
            where the first one began.
        starts_late: Whether the first run begins at a start date.
        asks_for_nulls: Whether a run asks for the rows without a value of the replication key.
        repeats_nulls: The same, of each run after the first.
        parents: The ways through parents; empty for a table that is read itself.
        rereads: Those whose rows are all read at each run.
    """

    is_tracked: bool
    is_full: bool
    is_sorted: bool
    is_ranged: bool
    has_number_key: bool
    starts_late: bool
    asks_for_nulls: bool
    repeats_nulls: bool
    parents: Sequence[ParentPath]
    rereads: Sequence[ParentPath]


def way(spec: TableSpec, service: Service, settings: Settings, *, is_tracked: bool) -> Way:
    """Say how a part of a table is read.

    Args:
        spec: What to extract.
        service: The service.
        settings: The settings.
        is_tracked: Whether the service tracks changes of the table.

    Raises:
        ServiceError: The ways through parents can't be read.
    """
    log_based = (
        spec.method == LOG_BASED
        and is_tracked
        and len(spec.row_key) == 1
        and spec.row_key == spec.stream_key
    )
    plain = replace(spec, method=INCREMENTAL) if spec.method == LOG_BASED else spec
    reader = TableReader.without_state(plain, service.client, settings)
    read, table = next(reader.reads()), reader.table
    bookmark = None if spec.method == FULL_TABLE else table.bookmark
    if read.through is not None and not _can_be_incremental(table):
        bookmark = None
    start = bookmark.start() if bookmark is not None else None
    paths = spec.parents() if read.through is not None else ()
    has_nulls = bookmark is not None and not paths and table.condition_without_key is not None
    return Way(
        is_tracked=log_based,
        is_full=bookmark is None,
        is_sorted=read.sorted_by is not None,
        is_ranged=reader.may_be_divided and (read.scale is not None or read.is_divided),
        has_number_key=bookmark is not None and not bookmark.is_date,
        starts_late=start is not None,
        asks_for_nulls=has_nulls
        and start is not None
        and bookmark is not None
        and bookmark.may_miss_rows,
        repeats_nulls=has_nulls
        and bookmark is not None
        and (
            spec.replication_key not in service.client.dialect.key_columns
            or (read.sorted_by is None and not bookmark.is_set_by_changes)
        ),
        parents=paths,
        rereads=[
            path
            for path in paths
            if bookmark is None or spec.replication_key != spec.changed_at or not path.changed_at
        ],
    )


def _can_be_incremental(table: Table) -> bool:
    return table.spec.replication_key == table.spec.changed_at or table.is_stamped


def first_load(way: Way, size: Size) -> Needed:
    """Estimate the first run.

    Args:
        way: How the part is read.
        size: Its size.
    """
    if way.parents:
        return Needed(size.rows, _through(way.parents, size))
    if size.rows is None:
        return Needed(None, None)
    pages = max(1, math.ceil(size.rows / size.page))
    requests = pages if pages == 1 or not way.is_ranged else pages + 1 + pages // PAGES_A_RANGE
    if way.is_tracked and pages > 1:
        # A page that shows that there are more, the ids, and the changes since then.
        requests = pages if way.is_full else 1 + pages + requests + 1
    return Needed(size.rows, requests + way.asks_for_nulls)


def each_run(way: Way, size: Size) -> Needed:
    """Estimate a later run, in which nothing has changed.

    Args:
        way: How the part is read.
        size: Its size.
    """
    if way.is_tracked:
        return Needed(0, 1)
    if way.is_full:
        return first_load(way, size)
    if way.parents:
        again, changed = _through(way.rereads, size), len(way.parents) - len(way.rereads)
        return Needed(0, None if again is None else again + changed)
    sent = None if size.rows is None else min(size.rows, 1)
    return Needed(sent if way.is_sorted else 0, 1 + way.repeats_nulls)


def _through(paths: Sequence[ParentPath], size: Size) -> int | None:
    """Add up the requests for the rows of parents."""
    counts = [size.parents.get(path.name) for path in paths]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return None
    return sum(max(1, math.ceil(count / size.most_parents)) for count in known)
