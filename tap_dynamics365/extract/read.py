"""Table read: what to read of a table, in what order, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from tap_dynamics365.errors import UnsortedError
from tap_dynamics365.extract.range import Range
from tap_dynamics365.odata import query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_dynamics365.extract.page import Page
    from tap_dynamics365.odata.key_scale import Scale
    from tap_dynamics365.odata.keyset import Keyset
    from tap_dynamics365.odata.page import RawPage, Value
    from tap_dynamics365.services.parent_path import ParentPath

INCREMENTAL: Final = "INCREMENTAL"
FULL_TABLE: Final = "FULL_TABLE"
LOG_BASED: Final = "LOG_BASED"

#: The column with the time at which a row was found to be deleted; the name is Singer's.
DELETED_AT: Final = "_sdc_deleted_at"


@dataclass(eq=False)
class TableRead:
    """One read of a table, from the first row to the last, page by page or in ranges.

    A replication method yields reads one after the other. A read is complete when all its rows
    were sent.

    Attributes:
        keyset: The columns that rows are sorted by, if they are sorted.
        sorted_by: The replication key, if rows are sorted by it.
        order: The columns to sort rows by.
        remaining: The ranges of rows that an interrupted read has not sent; None for all rows.
        holds_back: Whether the bookmark is moved only at the end, because the order of the rows is
            not reliable. Such a read follows links, and is never divided.
        scale: How values of the replication key are divided into ranges.
        start: The smallest value of the replication key to ask for.
        row_filter: The user's condition, which every row fulfils; empty for all rows.
        condition: Another condition for rows; None for all rows.
        without_key: Whether only rows without a value of the replication key are read, which fulfil
            the condition.
        through: The way through the rows of a parent, if the rows can only be read that way.
        parent_condition: The condition for the rows of the parent; None for all of them.
        parent_ids: The parents whose rows are read, one by one; None for all parents.
        reached: No value of the key may be smaller than this number.
        ids_only: Whether only the key columns are read.
        tracked: Whether the service is asked for a delta token at the end.
        since: A delta token; only changes since then are read.
        limit: The most rows to read; None for no limit.
        single: Whether the rows are used only if all of them are on the first page.
        is_divided: Whether the first column of the order has few values, so that a large table can
            be divided before each of them.
        kept_as: The attribute of the state that notes how far the read has come, so that another
            run can continue it; empty if none does.
        kept: What else the state has to keep for that.
        is_by_position: Whether rows were counted to continue after a page.
        version: The table version that records carry.
        is_whole: Whether all rows were read.
        delta_token: The delta token at the end.
        has_nulls: Whether there are rows without a value of the replication key; None if unknown.
        is_key_absent: Whether no row has the column of the replication key; None if no row came.
        understood: Which queries the service has answered: with bounds, and without.
        metadata_version: The version of the service's data model.
        reads_all: Whether all rows of the table are read.
    """

    keyset: Keyset | None = None
    sorted_by: str | None = None
    order: tuple[str, ...] = ()
    remaining: Sequence[Mapping[str, Any]] | None = None
    holds_back: bool = False
    scale: Scale | None = None
    start: Value = None
    row_filter: str = ""
    condition: str | None = None
    without_key: bool = False
    through: ParentPath | None = None
    parent_condition: str | None = None
    parent_ids: Sequence[str] | None = None
    reached: int | None = None
    ids_only: bool = False
    tracked: bool = False
    since: str | None = None
    limit: int | None = None
    single: bool = False
    is_divided: bool = False
    kept_as: str = ""
    kept: Mapping[str, Any] = field(default_factory=dict)
    is_by_position: bool = False
    version: int | None = None
    is_whole: bool = True
    delta_token: str | None = None
    has_nulls: bool | None = False
    is_key_absent: bool | None = None
    understood: set[bool] = field(default_factory=set)
    metadata_version: Value = None
    reads_all: bool = field(init=False)

    def __post_init__(self) -> None:
        """Note whether all rows are read: `start` moves on while rows are sent."""
        conditions = (self.condition, self.parent_condition, self.parent_ids)
        partial = (self.start, self.remaining, self.since, *conditions)
        begins = all(bound is None for bound in partial)
        self.reads_all = begins and not self.ids_only

    @property
    def is_resumable(self) -> bool:
        """Whether the state notes how far the read has come."""
        return bool(self.kept_as)

    @property
    def continues_by_key(self) -> bool:
        """Whether reading continues by key values after every page."""
        return self.keyset is not None and self.keyset.replaces_links

    @property
    def shared_value(self) -> Callable[[RawPage], str | None] | None:
        """Returns the value of the first column that all rows of a page share, if it divides."""
        return self.keyset.shared_value if self.is_divided and self.keyset is not None else None

    def first_ranges(self) -> list[Range]:
        """Return the ranges of the rows that are read, in order."""
        if self.remaining is None:
            return [Range()]
        columns = self.keyset.columns if self.keyset is not None else ()
        return [Range.restored(part, columns) for part in self.remaining]

    def query(  # noqa: PLR0913 - what a query consists of
        self,
        columns: Sequence[str],
        key: Sequence[str],
        low: Value,
        high: Value,
        *,
        after: Mapping[str, str | None] | None = None,
        skip: int = 0,
        top: int | None = None,
    ) -> str:
        """Write the query for the rows, or for some of them.

        Args:
            columns: The columns to ask for; all columns if empty.
            key: The columns that identify a row.
            low: The smallest value of the first column of the order; None is the start of the read.
            high: The value before which to end; None is the end of the table.
            after: The key values of a row; only rows after it are asked for.
            skip: How many rows after that row are not asked for.
            top: The most rows to ask for.
        """
        return query.build(
            key if self.ids_only else columns,
            order=self.order,
            bounded=self.sorted_by or next(iter(self.order), None),
            start=self.start if low is None else low,
            stop=high,
            after=after,
            skip=skip,
            top=top if self.limit is None else self.limit,
            row_filter=self.row_filter,
            condition=self.condition,
            delta_token=self.since,
        )

    def tie_query(
        self, columns: Sequence[str], end: Mapping[str, str | None], *, compares_ids: bool
    ) -> str:
        """Write the query for the rows after a row that have its value of the first column.

        Args:
            columns: The columns to ask for; all columns if empty.
            end: The key values of the row, as literals.
            compares_ids: Whether the service compares ids. If not, or if there are several, all
                rows with the value are asked for again.
        """
        (first, value), *ids = end.items()
        after = dict(ids) if compares_ids and len(ids) == 1 else {}
        return query.build(
            columns,
            order=[name for name, _ in ids],
            after=after,
            row_filter=self.row_filter,
            condition=f"{first} eq {value or 'null'}",
        )

    def has_bounds(self, place: Range) -> bool:
        """Tell whether the query for a range has a bound of the replication key.

        Args:
            place: The range.
        """
        return not (self.start is None and place.low is None and place.high is None)

    def prefer(
        self, page_size: int, *, metadata_version: str = "", annotations: Sequence[str] = ()
    ) -> str:
        """Write the header `Prefer`, which each request for a page needs.

        Args:
            page_size: How many rows to ask for.
            metadata_version: The annotation with the version of the data model, if it is wanted.
            annotations: Annotations that columns are made of.
        """
        wishes = [f"odata.maxpagesize={page_size}"]
        included = [] if self.ids_only else [*annotations]
        if self.tracked:
            wishes.insert(0, "odata.track-changes")
        elif metadata_version and self.since is None:
            # Not for a tracked read: v8.2 reportedly sends no delta link then.
            included.append(metadata_version)
        if included:
            wishes.append(f'odata.include-annotations="{",".join(included)}"')
        return ",".join(wishes)

    def accept(self, page: RawPage) -> RawPage:
        """Take in a page that has arrived.

        Args:
            page: The page.

        Returns:
            The part of the page that is sent, with its first and last key values.

        Raises:
            ServiceError: The answer is not a page of rows.
        """
        if self.single and not page.is_last:
            self.is_whole = False
            return replace(page, rows=(), next_link=None, more=False)
        self.delta_token = page.delta_token
        self.metadata_version = page.metadata_version or self.metadata_version
        if self.ids_only:
            return replace(page, rows=())
        if self.without_key and page.rows:
            self.has_nulls = True
        return page if self.keyset is None else self.keyset.locate(page)

    def mark_replaced(self) -> None:
        """Note that an unsorted read of all rows takes the place of this one."""
        self.reads_all, self.has_nulls = True, None

    def check_order(self, page: Page[Any]) -> None:
        """Check that the rows of a page are in order, and after those of the pages before.

        Args:
            page: The next page.

        Raises:
            UnsortedError: They are not, so no bookmark can be taken from this read.
        """
        for piece in page.pieces:
            keys = piece.keys
            self.has_nulls = self.has_nulls or keys.has_nulls
            self.is_key_absent = keys.is_absent and self.is_key_absent is not False
            if keys.least is None:
                continue
            if keys.out_of_order is not None or (
                self.reached is not None and keys.least < self.reached
            ):
                value = "a value" if keys.out_of_order is None else keys.out_of_order
                msg = (
                    f"The service sent rows out of order: {value} of {self.sorted_by} came after "
                    "a greater one."
                )
                raise UnsortedError(msg, is_seen=True)
            self.reached = keys.greatest
