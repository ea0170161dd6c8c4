"""Cache of rendered rows: rows as the bytes they are served as, in the order of a sorted column.

SQLite needs a tenth of a second to render a page. Here each row is rendered once, and a page is a
binary search, a slice and a join. Queries with other filters or orders are left to SQLite.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.data.guids import restored, sortable
from sandbox.data.store import UNCOLLATED, order_of, quoted
from sandbox.query import paging
from sandbox.query.filters import Both, Comparison, Literal, Path
from sandbox.query.rendering import OF_VALUES, Renderer, wanted
from sandbox.query.sql import stored_value

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from sandbox.data.model import Column, Model, Table
    from sandbox.data.store import Store
    from sandbox.query.filters import Expression
    from sandbox.query.option_values import OrderBy
    from sandbox.query.query_options import Query

# Types whose values compare in Python as in SQLite.
COMPARABLE = UNCOLLATED | {"Edm.Int32", "Edm.Int64"}
MOST_BYTES = 4 * 2**30
MOST_ORDERS = 200
MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


class Found(NamedTuple):
    """Rows of a page.

    Attributes:
        rows: The rows as JSON.
        first: Values of the paging columns in the first row.
        last: Values of the paging columns in the last row.
        more: Whether there are rows after these.
    """

    rows: list[bytes]
    first: tuple[Any, ...]
    last: tuple[Any, ...]
    more: bool


@dataclass
class Sorted:
    """Index of a table in one order; the three lists are parallel.

    Attributes:
        values: Values of the column that is sorted by.
        keys: Keys of the rows.
        places: Row numbers in the store.
    """

    values: list[Any]
    keys: list[Any]
    places: list[int]


@dataclass
class CachedRows:
    """Rows of a table, rendered with the same columns and annotations.

    Attributes:
        changes: Number of writes to the store when the cache was started.
        columns: Rendered columns, as they were then.
        rows: Rendered rows by their number in the store.
        size: Total size in bytes.
    """

    changes: int
    columns: Sequence[Column]
    rows: dict[int, bytes] = field(default_factory=dict)
    size: int = 0


class RowCache:
    """Rendered rows of a store.

    Args:
        model: The tables.
        store: The rows.
        most_bytes: Largest total size; beyond it the least recently used rows are removed.
    """

    def __init__(self, model: Model, store: Store, most_bytes: int = MOST_BYTES) -> None:
        self.store = store
        self.most_bytes = most_bytes
        self.renderer = Renderer(model)
        self._orders: OrderedDict[Hashable, tuple[int, Sorted | None]] = OrderedDict()
        self._caches: OrderedDict[Hashable, CachedRows] = OrderedDict()

    def find(
        self, table: Table, query: Query, annotations: tuple[str, ...], size: int
    ) -> Found | None:
        """Return the rows of a page.

        Args:
            table: The table.
            query: The query.
            annotations: Patterns of the requested annotations.
            size: Largest number of rows.

        Returns:
            The rows, or None if the cache does not support the query.
        """
        greatest = size == 1 and _asks_for_greatest(query)
        order_by = (query.order[0]._replace(descending=False),) if greatest else query.order
        column = _sorted_column(table, order_by)
        if column is None or (bounds := _bounds(query.filter, column)) is None:
            return None
        # The order and the rows come from several queries, between which nobody may write.
        with self.store.writing:
            order = self._order(table, column, order_by)
            if order is None:
                return None
            if greatest:
                ranks = _greatest(order)
            else:
                ranks = _ranks(order, bounds, self._beyond(table, query), size + 1)
            if not ranks:
                return Found([], (), (), more=False)
            more, ranks = len(order.values if greatest else ranks) > size, ranks[:size]
            rows = self._rows(table, query.select, annotations, [order.places[r] for r in ranks])
        columns = paging.paging_columns(table, query.order)
        first, last = (
            tuple(map(_stored, columns, (order.values[rank], order.keys[rank])))
            for rank in (ranks[0], ranks[-1])
        )
        return Found(rows, first, last, more)

    def _beyond(self, table: Table, query: Query) -> tuple[Any, Any] | None:
        if not query.skip_token:
            return None
        columns = paging.paging_columns(table, query.order)
        cookie = paging.read(query.skip_token, columns).last
        last = [_comparable(*each) for each in zip(columns, (v for _, v in cookie), strict=False)]
        return (last[0], last[-1]) if last else None

    def _order(self, table: Table, column: Column, query: tuple[OrderBy, ...]) -> Sorted | None:
        changes = self.store.changes(table)
        name = (table.name, tuple(part.column.property_name for part in query))
        known, order = self._orders.get(name, (-1, None))
        if known != changes:
            order = self._sort(table, column, query)
            self._orders[name] = changes, order
            if len(self._orders) > MOST_ORDERS:
                self._orders.popitem(last=False)
        return order

    def _sort(self, table: Table, column: Column, query: tuple[OrderBy, ...]) -> Sorted | None:
        key = order_of(table, table.by_property[table.row_key[0]])
        value = order_of(table, column)
        # Rows with equal values are in storage order, unless the key is sorted by too.
        then = key if len(query) > 1 else "rowid"
        found = self.store.select(
            f"SELECT {value}, {key}, rowid FROM {quoted(table.name)} ORDER BY {value}, {then}"  # noqa: S608  - names of the model
        )
        if found and found[0][0] is None:
            return None
        return Sorted([r[0] for r in found], [r[1] for r in found], [r[2] for r in found])

    def _rows(
        self,
        table: Table,
        columns: Sequence[Column],
        annotations: tuple[str, ...],
        places: list[int],
    ) -> list[bytes]:
        # Other annotations belong to the page, not to its rows.
        annotations = tuple(
            each for each in annotations if any(wanted(name, [each]) for name in OF_VALUES)
        )
        # Annotations show names from other tables.
        changes = self.store.all_changes if annotations else self.store.changes(table)
        columns = columns or table.columns
        names = tuple(column.property_name for column in columns)
        name = (table.name, names, annotations, self.renderer.model.user_language)
        cached = self._caches.get(name)
        if cached is None or (cached.changes, cached.columns) != (changes, columns):
            cached = self._caches[name] = CachedRows(changes, columns)
        self._caches.move_to_end(name)
        if missing := [place for place in places if place not in cached.rows]:
            row = self.renderer.row(table, columns, annotations)
            written = self.store.select(
                f"SELECT rowid, {row} FROM {quoted(table.name)} "  # noqa: S608  - made of the model's names
                "WHERE rowid IN (SELECT value FROM json_each(?))",
                [json.dumps(missing)],
            )
            cached.rows.update(written)
            cached.size += sum(len(text) for _, text in written)
        rows = [cached.rows[place] for place in places]
        while len(self._caches) > 1 and self._size() > self.most_bytes:
            self._caches.popitem(last=False)
        if cached.size > self.most_bytes:
            self._caches.clear()
        return rows

    def _size(self) -> int:
        return sum(cached.size for cached in self._caches.values())


def _comparable(column: Column, value: Any) -> Any:  # noqa: ANN401  - a cell
    """Return a value as the lists of an order have it."""
    if column.edm_type == "Edm.Guid" and value is not None:
        value = sortable(value)
    return value.encode() if isinstance(value, str) else value


def _stored(column: Column, value: Any) -> Any:  # noqa: ANN401  - a cell
    """Return a value from the lists of an order as the store has it."""
    return restored(value.decode()).encode() if column.edm_type == "Edm.Guid" else value


def _sorted_column(table: Table, order: tuple[OrderBy, ...]) -> Column | None:
    """Return the column that decides the order, if the cache supports the order."""
    if table.union_of or len(table.row_key) > 1:
        return None
    key = table.by_property[table.row_key[0]]
    columns = [part.column for part in order] or [key]
    if any(part.descending for part in order) or columns[1:] not in ([], [key]):
        return None
    return columns[0] if {columns[0].edm_type, key.edm_type} <= COMPARABLE else None


def _comparisons(tree: Expression) -> Iterator[Comparison | None]:
    """Yield the comparisons that must all be true; None for any other condition."""
    match tree:
        case Both("and", left, right):
            yield from _comparisons(left)
            yield from _comparisons(right)
        case Comparison(_, Path(), Literal()):
            yield tree
        case Comparison(operator, Literal() as left, Path() as right):
            yield Comparison(MIRRORED.get(operator, operator), right, left)
        case _:
            yield None


def _bounds(tree: Expression | None, column: Column) -> list[tuple[str, Any]] | None:
    """Return the bounds that a filter sets for a column; None if it has any other condition."""
    bounds: list[tuple[str, Any]] = []
    for each in _comparisons(tree) if tree else ():
        match each:
            case Comparison(operator, Path(name), Literal() as literal) if (
                name == column.property_name and operator in MIRRORED and literal.kind != "null"
            ):
                bounds.append((operator, _comparable(column, stored_value(column, literal))))
            case _:
                return None
    return bounds


def _asks_for_greatest(query: Query) -> bool:
    """Return whether a query asks for the first row in descending order, of all rows."""
    return (
        [part.descending for part in query.order] == [True]
        and query.filter is None
        and not query.skip_token
    )


def _greatest(order: Sorted) -> Sequence[int]:
    """Return the rows with the greatest value, in storage order."""
    end = len(order.values)
    return range(bisect_left(order.values, order.values[-1]), end) if end else range(0)


def _ranks(
    order: Sorted, bounds: list[tuple[str, Any]], beyond: tuple[Any, Any] | None, most: int
) -> Sequence[int]:
    """Return the positions of rows within bounds and after the last row of a page.

    Args:
        order: The order.
        bounds: Operators and values.
        beyond: Value and key of the last row, if there is one.
        most: Largest number of rows.
    """
    values = order.values
    start, end = 0, len(values)
    for operator, value in bounds:
        search = bisect_left if operator in {"ge", "lt"} else bisect_right
        place = search(values, value)
        start, end = (max(start, place), end) if operator[0] == "g" else (start, min(end, place))
    if beyond is None:
        return range(start, min(end, start + most))
    value, key = beyond
    # Rows with the same value as the last row come next if their key is greater, as in a cookie.
    low, high = max(start, bisect_left(values, value)), bisect_right(values, value)
    equal = [rank for rank in range(low, min(end, high)) if order.keys[rank] > key]
    start = max(start, high)
    return [*equal, *range(start, min(end, start + most))][:most]
