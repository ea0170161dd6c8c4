"""One pass over a table: what is asked for, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tap_dynamics365.errors import UnsortedError
from tap_dynamics365.odata import query
from tap_dynamics365.odata.page import METADATA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_dynamics365.extract.page import Page, Value
    from tap_dynamics365.extract.range import Range
    from tap_dynamics365.odata.key_scale import Scale
    from tap_dynamics365.odata.keyset import Keyset
    from tap_dynamics365.odata.page import RawPage


@dataclass(eq=False)
class Pass:
    """Rows that are read from the first to the last, page by page or in ranges.

    A replication method makes them one after the other; when one is at its end, all its rows were
    sent, and what it has learnt stands here.

    Attributes:
        decode: Encodes the rows of its pages.
        keyset: By what rows are sorted, where they are.
        sorted_by: The replication key, where rows are to come in its order.
        holds_back: Whether no bookmark is taken before the pass is at its end, for the order of
            the rows can't be relied on: it is followed link by link, and never divided.
        scale: How values of the replication key are divided.
        start: The smallest value of the replication key to ask for.
        empty: A column, where the rows without a value of it are asked for.
        reached: No row's value of the key is to be less than this number.
        ids_only: Whether the key's columns alone are asked for, in place of those selected.
        tracked: Whether the service is asked for a delta token behind the last page.
        since: The delta token since which changes are asked for, in place of all rows.
        single: Whether rows are of use only if all are on the first page.
        is_whole: Whether all rows were read.
        delta_token: What the service gave behind the last page.
        has_nulls: Whether rows came that have no value of the replication key; None if it is not
            known.
        is_key_absent: Whether no row that came has the column of the replication key; None if none
            came.
        understood: Which queries the service has answered: with bounds, and without.
        metadata_version: Changes with every change to any table's definition.
        reads_all: Whether it reads all rows of the table, from the first on.
    """

    decode: Callable[[RawPage], Page]
    keyset: Keyset | None = None
    sorted_by: str | None = None
    holds_back: bool = False
    scale: Scale | None = None
    start: Value = None
    empty: str | None = None
    reached: int | None = None
    ids_only: bool = False
    tracked: bool = False
    since: str | None = None
    single: bool = False
    is_whole: bool = True
    delta_token: str | None = None
    has_nulls: bool | None = False
    is_key_absent: bool | None = None
    understood: set[bool] = field(default_factory=set)
    metadata_version: Value = None
    reads_all: bool = field(init=False)

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

    def has_bounds(self, place: Range) -> bool:
        """Tell whether the query for a range has a bound of the replication key.

        Args:
            place: The range.
        """
        return not (self.start is None and place.low is None and place.high is None)

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
        if self.single and not page.is_last:
            self.is_whole = False
            return replace(page, rows=(), next_link=None, more=False)
        self.delta_token = page.delta_token
        self.metadata_version = page.metadata_version or self.metadata_version
        if self.ids_only:
            return replace(page, rows=())
        if self.empty and page.rows:
            self.has_nulls = True
        return page if self.keyset is None else self.keyset.place(page)

    def replaced(self) -> None:
        """Note that all rows were read in its place, in no order."""
        self.reads_all, self.has_nulls = True, None

    def check_order(self, page: Page) -> None:
        """Look whether all rows of a page lie behind those of the pages before, and in order.

        Args:
            page: The page that is next.

        Raises:
            UnsortedError: They don't: no bookmark can be taken from rows of this pass.
        """
        for piece in page.pieces:
            keys = piece.keys
            self.has_nulls = self.has_nulls or keys.has_nulls
            self.is_key_absent = keys.is_absent and self.is_key_absent is not False
            if keys.least is None:
                continue
            if keys.wrong is not None or (self.reached is not None and keys.least < self.reached):
                value = "a value" if keys.wrong is None else keys.wrong
                msg = (
                    f"The service sent rows out of order: {value} of {self.sorted_by} came behind "
                    "a greater one."
                )
                raise UnsortedError(msg, is_seen=True)
            self.reached = keys.greatest
