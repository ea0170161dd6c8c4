"""Rows kept as the bytes they are served as, so that a page is a search, a slice and a join.

SQLite needs a tenth of a second to write down a page; here a row is written down once, however
many pages it is then on. What a shelf cannot find (other filters, other orders) SQLite finds.
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
    from sandbox.query.query_options import Order, Query

# Columns whose values compare in Python as SQLite compares them.
COMPARABLE = UNCOLLATED | {"Edm.Int32", "Edm.Int64"}
MOST_BYTES = 4 * 2**30
MOST_ORDERS = 200
MIRRORED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


class Found(NamedTuple):
    """The rows of a page.

    Attributes:
        rows: as JSON.
        first: the values of the paging columns in the first row.
        last: the same in the last row.
        more: whether there are rows after these.
    """

    rows: list[bytes]
    first: tuple[Any, ...]
    last: tuple[Any, ...]
    more: bool


@dataclass
class Sorted:
    """The rows of a table in one order.

    Attributes:
        values: of the column that is sorted by; the other lists go with it.
        keys: the rows' keys.
        places: where the store has the rows.
    """

    values: list[Any]
    keys: list[Any]
    places: list[int]


@dataclass
class Shelf:
    """Rows of a table, written down with the same columns and annotations.

    Attributes:
        changes: how often the store was written to when the shelf was begun.
        columns: what is written down of each row, as the columns were then.
        rows: by their place in the store.
        size: the bytes in them.
    """

    changes: int
    columns: Sequence[Column]
    rows: dict[int, bytes] = field(default_factory=dict)
    size: int = 0


class Shelves:
    """All that is kept of a store.

    Args:
        model: the tables.
        store: where the rows are.
        most_bytes: the longest unused shelves are dropped when there are more.
    """

    def __init__(self, model: Model, store: Store, most_bytes: int = MOST_BYTES) -> None:
        self.store = store
        self.most_bytes = most_bytes
        self.renderer = Renderer(model)
        self._orders: OrderedDict[Hashable, tuple[int, Sorted | None]] = OrderedDict()
        self._shelves: OrderedDict[Hashable, Shelf] = OrderedDict()

    def find(
        self, table: Table, asked: Query, annotations: tuple[str, ...], size: int
    ) -> Found | None:
        """The rows of a page.

        Args:
            table: whose rows.
            asked: which rows, and with which columns.
            annotations: the patterns of the annotations wanted.
            size: how many rows at most.

        Returns:
            Nothing, if this is no query for a shelf.
        """
        greatest = size == 1 and _asks_for_greatest(asked)
        order_by = (asked.order[0]._replace(descending=False),) if greatest else asked.order
        column = _sorted_column(table, order_by)
        if column is None or (bounds := _bounds(asked.filter, column)) is None:
            return None
        # The order and the rows come from several queries: nobody writes between them.
        with self.store.writing:
            order = self._order(table, column, order_by)
            if order is None:
                return None
            if greatest:
                ranks = _greatest(order)
            else:
                ranks = _ranks(order, bounds, self._beyond(table, asked), size + 1)
            if not ranks:
                return Found([], (), (), more=False)
            more, ranks = len(order.values if greatest else ranks) > size, ranks[:size]
            rows = self._rows(table, asked.select, annotations, [order.places[r] for r in ranks])
        columns = paging.paging_columns(table, asked.order)
        first, last = (
            tuple(map(_stored, columns, (order.values[rank], order.keys[rank])))
            for rank in (ranks[0], ranks[-1])
        )
        return Found(rows, first, last, more)

    def _beyond(self, table: Table, asked: Query) -> tuple[Any, Any] | None:
        if not asked.skip_token:
            return None
        columns = paging.paging_columns(table, asked.order)
        cookie = paging.read(asked.skip_token, columns).last
        last = [_comparable(*each) for each in zip(columns, (v for _, v in cookie), strict=False)]
        return (last[0], last[-1]) if last else None

    def _order(self, table: Table, column: Column, asked: tuple[Order, ...]) -> Sorted | None:
        changes = self.store.changes(table)
        name = (table.name, tuple(part.column.property_name for part in asked))
        known, order = self._orders.get(name, (-1, None))
        if known != changes:
            order = self._sort(table, column, asked)
            self._orders[name] = changes, order
            if len(self._orders) > MOST_ORDERS:
                self._orders.popitem(last=False)
        return order

    def _sort(self, table: Table, column: Column, asked: tuple[Order, ...]) -> Sorted | None:
        key = order_of(table, table.by_property[table.row_key[0]])
        value = order_of(table, column)
        # Equal rows in the order of storage, if the key is not asked for.
        then = key if len(asked) > 1 else "rowid"
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
        # Others are of the page: rows are the same with them and without.
        annotations = tuple(
            each for each in annotations if any(wanted(name, [each]) for name in OF_VALUES)
        )
        # Annotations show names from other tables.
        changes = self.store.all_changes if annotations else self.store.changes(table)
        columns = columns or table.columns
        names = tuple(column.property_name for column in columns)
        name = (table.name, names, annotations, self.renderer.model.user_language)
        shelf = self._shelves.get(name)
        if shelf is None or (shelf.changes, shelf.columns) != (changes, columns):
            shelf = self._shelves[name] = Shelf(changes, columns)
        self._shelves.move_to_end(name)
        if missing := [place for place in places if place not in shelf.rows]:
            row = self.renderer.row(table, columns, annotations)
            written = self.store.select(
                f"SELECT rowid, {row} FROM {quoted(table.name)} "  # noqa: S608  - made of the model's names
                "WHERE rowid IN (SELECT value FROM json_each(?))",
                [json.dumps(missing)],
            )
            shelf.rows.update(written)
            shelf.size += sum(len(text) for _, text in written)
        rows = [shelf.rows[place] for place in places]
        while len(self._shelves) > 1 and self._size() > self.most_bytes:
            self._shelves.popitem(last=False)
        if shelf.size > self.most_bytes:
            self._shelves.clear()
        return rows

    def _size(self) -> int:
        return sum(shelf.size for shelf in self._shelves.values())


def _comparable(column: Column, value: Any) -> Any:  # noqa: ANN401  - a cell
    """A value as the lists of an order have it."""
    if column.edm_type == "Edm.Guid" and value is not None:
        value = sortable(value)
    return value.encode() if isinstance(value, str) else value


def _stored(column: Column, value: Any) -> Any:  # noqa: ANN401  - a cell
    """A value from the lists of an order as the store gives it."""
    return restored(value.decode()).encode() if column.edm_type == "Edm.Guid" else value


def _sorted_column(table: Table, order: tuple[Order, ...]) -> Column | None:
    """The column that decides the order, if it is one of those that a shelf knows."""
    if table.union_of or len(table.row_key) > 1:
        return None
    key = table.by_property[table.row_key[0]]
    columns = [part.column for part in order] or [key]
    if any(part.descending for part in order) or columns[1:] not in ([], [key]):
        return None
    return columns[0] if {columns[0].edm_type, key.edm_type} <= COMPARABLE else None


def _comparisons(tree: Expression) -> Iterator[Comparison | None]:
    """The comparisons that all must hold; None for anything else."""
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
    """What a filter asks of the column; None if it asks anything else."""
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


def _asks_for_greatest(asked: Query) -> bool:
    """Whether the first row in falling order is asked for, of all rows."""
    return (
        [part.descending for part in asked.order] == [True]
        and asked.filter is None
        and not asked.skip_token
    )


def _greatest(order: Sorted) -> Sequence[int]:
    """The rows with the greatest value, in the order of storage."""
    end = len(order.values)
    return range(bisect_left(order.values, order.values[-1]), end) if end else range(0)


def _ranks(
    order: Sorted, bounds: list[tuple[str, Any]], beyond: tuple[Any, Any] | None, most: int
) -> Sequence[int]:
    """Which rows of an order lie within bounds and after the last row of a page."""
    values = order.values
    start, end = 0, len(values)
    for operator, value in bounds:
        search = bisect_left if operator in {"ge", "lt"} else bisect_right
        place = search(values, value)
        start, end = (max(start, place), end) if operator[0] == "g" else (start, min(end, place))
    if beyond is None:
        return range(start, min(end, start + most))
    value, key = beyond
    # Of the rows with the value of the last one, those with a greater key, as the cookie goes.
    low, high = max(start, bisect_left(values, value)), bisect_right(values, value)
    equal = [rank for rank in range(low, min(end, high)) if order.keys[rank] > key]
    start = max(start, high)
    return [*equal, *range(start, min(end, start + most))][:most]
