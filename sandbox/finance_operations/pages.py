"""Pages: rows of an entity set as the bytes of a response.

Paging is by position: the next link has a `$skip`. Without `$orderby` on the whole key the order is
the database's, which differs from request to request.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.data.store import order_of, order_of_key, quoted
from sandbox.finance_operations import errors, queries, rendering
from sandbox.finance_operations.broken import Breakages
from sandbox.finance_operations.conditions import Condition
from sandbox.finance_operations.keys_in_urls import parse_key
from sandbox.query import bodies
from sandbox.query.sorting import Sorting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.data.model import Table
    from sandbox.data.store import Store
    from sandbox.finance_operations.companies import Access
    from sandbox.finance_operations.queries import Query

# A prime above every number of rows, so that the order of a request is a permutation.
PRIME = 2_147_483_647


class Page(NamedTuple):
    """A response with rows.

    Attributes:
        body: The body.
        rows: Number of rows.
        query: The query.
    """

    body: bytes
    rows: int
    query: Query


class RowSource(NamedTuple):
    """Rows that a request reads from: SQL condition and parameters."""

    where: str
    parameters: Sequence[Any]


class Pages:
    """Answers queries of entity sets.

    Args:
        store: The rows.
        access: The companies that the user reads.

    Attributes:
        breakages: The broken entities.
        sorting: Which sorted reads time out.
        guid_order: Whether the order of GUIDs can be compared.
    """

    def __init__(self, store: Store, access: Access) -> None:
        self.store = store
        self.access = access
        self.breakages = Breakages()
        self.sorting = Sorting()
        self.guid_order = True
        self._random = random.Random(1)  # noqa: S311  - repeatable by design

    def page(self, table: Table, root: str, raw: str, largest: int, *, empty: bool = False) -> Page:
        """Return one page of an entity set.

        Args:
            table: The table.
            root: URL of the service root, for links.
            raw: The query string.
            largest: Largest number of rows in a page.
            empty: Return no rows, and a link to the same rows.
        """
        query = queries.read(raw, table)
        if self.sorting.times_out(table, (part.column for part in query.order)):
            raise errors.timed_out()
        source = self._source(table, query)
        size = largest if query.top is None else min(largest, query.top)
        found = self.store.select(
            f"SELECT {rendering.row(table, query.select)}, rowid FROM {quoted(table.name)} "  # noqa: S608  - made of the model's names
            f"WHERE {source.where} ORDER BY {self._order(table, query)} "
            f"LIMIT {size + 1} OFFSET {query.skip}",
            source.parameters,
        )
        more = empty or (len(found) > size and size != query.top)
        found = [] if empty else found[:size]
        self._check(table, query, [rowid for _, rowid in found])
        head = [bodies.context(root, f"{table.set_name}{bodies.selected(query.select)}")]
        if query.count:
            head.append(f'"@odata.count":{self.store.count(table, *source)}')
        link = f"{root}{table.set_name}?{query.onward(len(found))}"
        tail = bodies.next_link(link) if more else ""
        body = bodies.page(head, (row for row, _ in found), tail)
        return Page(body, len(found), query)

    def count(self, table: Table, raw: str) -> int:
        """Return the number of rows of a query, whatever its `$top`."""
        query = queries.read(raw, table)
        return self.store.count(table, *self._source(table, query))

    def single(self, table: Table, key: str, root: str, raw: str) -> Page:
        """Return one row by its key, `CustomersV3(dataAreaId='usmf',CustomerAccount='C-1')`."""
        query = queries.read(raw, table)
        source = self._source(table, query)
        condition = Condition(table)
        where = condition.write(parse_key(table, key))
        found = self.store.select(
            f"SELECT {rendering.row(table, query.select)}, rowid FROM {quoted(table.name)} "  # noqa: S608  - made of the model's names
            f"WHERE {source.where} AND {where}",
            [*source.parameters, *condition.parameters],
        )
        if not found:
            raise errors.no_row()
        self._check(table, query, [found[0][1]])
        names = bodies.selected(query.select)
        context = bodies.context(root, f"{table.set_name}{names}/$entity")
        return Page(bodies.entity(context, found[0][0]), 1, query)

    def stored(self, table: Table) -> bytes:
        """Return all stored rows of all companies with all their columns as a JSON array."""
        row, order = rendering.row(table, etag=False), order_of_key(table)
        sql = f"SELECT {row} FROM {quoted(table.name)} ORDER BY {order}"  # noqa: S608  - names of the model
        return bodies.array(row for (row,) in self.store.select(sql))

    def _source(self, table: Table, query: Query) -> RowSource:
        where, parameters = self.access.condition(table, cross_company=query.cross_company)
        if query.filter:
            condition = Condition(table, guid_order=self.guid_order)
            where = f"{where} AND {condition.write_all(query.filter)}"
            parameters += condition.parameters
        return RowSource(where, parameters)

    def _order(self, table: Table, query: Query) -> str:
        parts = [
            f"{order_of(table, part.column)}{' DESC' if part.descending else ''}"
            for part in query.order
        ]
        named = {part.column.property_name for part in query.order}
        if not table.key or not named.issuperset(table.key):
            # Equal rows are in an order of their own in each request.
            step, start = self._random.randrange(1, PRIME), self._random.randrange(PRIME)
            parts.append(f"(rowid * {step} + {start}) % {PRIME}")
        return ", ".join(parts)

    def _check(self, table: Table, query: Query, rows: Sequence[int]) -> None:
        """Fail if the page has a broken row."""
        where, parameters = self.access.condition(table, cross_company=query.cross_company)

        def in_order(first: int, count: int | None) -> list[int]:
            limit = -1 if count is None else count
            sql = (
                f"SELECT rowid FROM {quoted(table.name)} WHERE {where} "  # noqa: S608  - made of the model's names
                f"ORDER BY {order_of_key(table)} LIMIT {limit} OFFSET {first}"
            )
            return [rowid for (rowid,) in self.store.select(sql, parameters)]

        self.breakages.check(table, query.select, rows, in_order)
