"""One pass over a table: what is asked for, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tap_dynamics365 import query
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.records.raw_page import METADATA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_dynamics365.records.keyset import Keyset
    from tap_dynamics365.records.page import Page, Value
    from tap_dynamics365.records.raw_page import RawPage
    from tap_dynamics365.replication.keys import Scale


@dataclass(eq=False)
class Pass:
    """Rows that are read from the first to the last, page by page or in ranges.

    A replication method makes them one after the other; when one is at its end, all its rows were
    sent, and what it has learnt stands here.

    Attributes:
        decode: Encodes the rows of its pages.
        keyset: By what rows are sorted, where they are.
        sorted_by: The replication key, where rows come in its order.
        scale: How values of the replication key are reckoned with.
        start: The smallest value of the replication key to ask for.
        empty: A column, where the rows without a value of it are asked for.
        ids_only: Whether the key's columns alone are asked for, in place of those selected.
        tracked: Whether the service is asked for a delta token behind the last page.
        since: The delta token since which changes are asked for, in place of all rows.
        single: Whether rows are of use only if all are on the first page.
        is_whole: Whether all rows were read.
        delta_token: What the service gave behind the last page.
        has_nulls: Whether rows came that have no value of the replication key.
        metadata_version: Changes with every change to any table's definition.
        reads_all: Whether it reads all rows of the table, from the first on.
    """

    decode: Callable[[RawPage], Page]
    keyset: Keyset | None = None
    sorted_by: str | None = None
    scale: Scale | None = None
    start: Value = None
    empty: str | None = None
    ids_only: bool = False
    tracked: bool = False
    since: str | None = None
    single: bool = False
    is_whole: bool = True
    delta_token: str | None = None
    has_nulls: bool = False
    metadata_version: Value = None
    reads_all: bool = field(init=False)
    _position: int | None = None

    def __post_init__(self) -> None:
        """See where it begins: a pass that is begun again begins elsewhere."""
        begins = self.start is None and self.since is None and self.empty is None
        self.reads_all = begins and not self.ids_only

    def query(
        self,
        columns: Sequence[str],
        key: Sequence[str],
        low: Value,
        high: Value,
        behind: Mapping[str, str | None] | None = None,
    ) -> str:
        """Write the query for its rows, or for some of them.

        Args:
            columns: Those to ask for; all if empty.
            key: Columns that tell rows apart.
            low: The smallest value of the replication key; None is where the pass begins.
            high: The value before which to end; None is the end of the table.
            behind: Where a page ended, if the rows behind it are asked for.
        """
        return query.build(
            key if self.ids_only else columns,
            key=key,
            replication_key=self.sorted_by,
            start=self.start if low is None else low,
            stop=high,
            behind=behind,
            empty=self.empty,
            delta_token=self.since,
        )

    def wishes(self, page_size: int, *, ask_version: bool, annotations: Sequence[str] = ()) -> str:
        """Write the header `Prefer`, which the service forgets from one page to the next.

        Args:
            page_size: Rows to ask for.
            ask_version: Whether to ask for the version of the metadata too.
            annotations: Kinds of annotations that columns are made of.
        """
        wishes = [f"odata.maxpagesize={page_size}"]
        included = [] if self.ids_only else [*annotations]
        if self.tracked:
            wishes.insert(0, "odata.track-changes")
        elif ask_version and self.since is None:
            # Not of a tracked read: v8.2 is said to forget the delta link then.
            included.append(METADATA_VERSION)
        if included:
            wishes.append(f'odata.include-annotations="{",".join(included)}"')
        return ",".join(wishes)

    def take_in(self, page: RawPage) -> RawPage:
        """Look at a page that has arrived.

        Args:
            page: The page.

        Returns:
            What of it is to be sent, and where that begins and ends.

        Raises:
            ServiceError: It is no page of rows.
        """
        if self.single and page.next_link is not None:
            self.is_whole = False
            return replace(page, rows=(), next_link=None)
        self.delta_token = page.delta_token
        self.metadata_version = page.metadata_version or self.metadata_version
        if self.ids_only:
            return replace(page, rows=())
        placed = page if self.keyset is None else self.keyset.place(page)
        if page.rows and (self.keyset or self.empty) and None in {placed.first, placed.last}:
            self.has_nulls = True
        return placed

    def sent(self, value: str | int) -> None:
        """Note the replication key of a row that was sent; begun again, the pass goes on there.

        Args:
            value: The key's value.

        Raises:
            ServiceError: It is smaller than one before, so that no bookmark can be taken.
        """
        if self.scale is None:
            return
        position = self.scale.position(value)
        if self._position is not None and position < self._position:
            msg = (
                f"The service sent rows out of the order that was asked for ({self.sorted_by} "
                f"{value} behind a greater one): choose another replication key in the catalog."
            )
            raise ServiceError(msg)
        self._position, self.start = position, value
