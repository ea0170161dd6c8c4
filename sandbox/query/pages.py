"""Pages: rows of an entity set as the bytes of a response."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from sandbox.data.model import PARTITION, TableType
from sandbox.data.store import order_of, order_of_key, quoted
from sandbox.faults.errors import bad_query, no_record, timed_out, unknown_segment
from sandbox.query import bodies, paging, query_options
from sandbox.query.filters import Literal
from sandbox.query.option_values import options
from sandbox.query.rendering import Renderer, wanted
from sandbox.query.row_cache import Found, RowCache
from sandbox.query.sorting import Sorting
from sandbox.query.sql import Condition, refuse_guid_order, stored_value

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sandbox.data.model import Model, Table
    from sandbox.data.store import Store
    from sandbox.query.preferences import Preferences
    from sandbox.query.query_options import Query

LARGEST_COUNT = 5_000
TOTAL = "Microsoft.Dynamics.CRM.totalrecordcount"
LIMIT_EXCEEDED = "Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"
MORE_RECORDS = "Microsoft.Dynamics.CRM.morerecords"
PAGING_COOKIE = "Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
GLOBAL_VERSION = "Microsoft.Dynamics.CRM.globalmetadataversion"


class Pages:
    """Answers queries of entity sets.

    Args:
        model: The tables.
        store: The rows.

    Attributes:
        sorting: Which sorted reads time out.
        more_records_without_link: Whether a page that is not the last one has `morerecords` and a
            paging cookie in place of a nextLink.
        guid_comparison: Whether `gt`, `ge`, `lt` and `le` of a GUID are "understood" or "refused".
        restriction: Returns the condition for the rows of a table that the caller may list, in SQL
            with its parameters; None for all rows.
    """

    def __init__(self, model: Model, store: Store) -> None:
        self.model = model
        self.store = store
        self.renderer = Renderer(model)
        self.row_cache = RowCache(model, store)
        self.sorting = Sorting()
        self.more_records_without_link = False
        self.guid_comparison = "understood"
        self.restriction: Callable[[Table], tuple[str, list[Any]] | None] = lambda _: None

    @property
    def behavior(self) -> Hashable:
        """Settings that responses depend on, for keys of the cache."""
        unsortable = tuple(self.sorting.unsortable_tables)
        return self.more_records_without_link, self.guid_comparison, unsortable

    def page(  # noqa: PLR0913  - what an answer depends on
        self,
        table: Table,
        root: str,
        raw: str,
        preferences: Preferences,
        largest: int = paging.LARGEST_PAGE,
        *,
        empty: bool = False,
        stamp: str = "",
    ) -> bytes:
        """Return one page of an entity set.

        Args:
            table: The table.
            root: URL of the service root, for links.
            raw: The query string.
            preferences: Requested page size and annotations.
            largest: Largest number of rows in a page.
            empty: Return no rows, and a nextLink to the same page.
            stamp: Delta token for the last page, when changes are tracked.
        """
        query = self.parse(table, raw)
        if self.sorting.times_out(table, (part.column for part in query.order)):
            raise timed_out()
        columns = paging.paging_columns(table, query.order)
        number = paging.read(query.skip_token, columns).page if query.skip_token else 1
        size, limited = self.size(query, preferences, largest)
        annotations = preferences.annotations
        found = None
        if self.restriction(table) is None:
            found = self.row_cache.find(table, query, annotations, size)
        if found is None:
            found = self._search(table, query, annotations, size)
        rows = found.rows
        head = [bodies.context(root, f"{table.set_name}{bodies.selected(query.named)}")]
        head += self.totals(table, query, annotations)
        token = tail = ""
        if empty:
            token, rows = paging.onward(query.skip_token), []
        elif found.more and not limited:
            version = stamp.partition("%21")[0]
            token = paging.token(number, columns, found.first, found.last, version)
        link = f"{root}{quote(table.set_name)}?{query.text}{'&' * bool(query.text)}"
        if token:
            tail = self.onward(link, token)
        elif stamp:
            head.append(f'"@odata.deltaLink":"{link}$deltatoken={stamp}"')
        return bodies.page(head, rows, tail)

    def parse(self, table: Table, raw: str) -> Query:
        """Parse the query string for a table.

        Raises:
            ServiceError: The query is invalid.
        """
        query = query_options.read(raw, self.model, table)
        if self.guid_comparison == "refused" and query.filter:
            refuse_guid_order(query.filter, table)
        return query

    def onward(self, link: str, token: str) -> str:
        """Return the end of a page that is not the last one.

        Args:
            link: URL of the query, ready for one more option.
            token: Encoded skip token of the next page.
        """
        if self.more_records_without_link:
            cookie = json.dumps(unquote(token))
            return f',"@{PAGING_COOKIE}":{cookie},"@{MORE_RECORDS}":true'
        return bodies.next_link(f"{link}$skiptoken={token}")

    def _search(self, table: Table, query: Query, annotations: tuple[str, ...], size: int) -> Found:
        """Query the rows of a page with SQL, whatever the query."""
        where, parameters = self.where(table, query)
        columns = paging.paging_columns(table, query.order)
        if query.skip_token:
            cookie = paging.read(query.skip_token, columns)
            beyond, values = paging.after(cookie, table, query.order)
            where, parameters = f"{where} AND {beyond}", parameters + values
        row = self.renderer.row(table, query.select, annotations)
        names = ", ".join(quoted(column.property_name) for column in columns)
        found = self.store.select(
            f"SELECT {row}, {names} FROM {quoted(table.name)} WHERE {where} "  # noqa: S608  - made of the model's names
            f"ORDER BY {self._order(table, query)} LIMIT {size + 1}",
            parameters,
        )
        more, found = len(found) > size, found[:size]
        ends = (found[0][1:], found[-1][1:]) if found else ((), ())
        return Found([row[0] for row in found], *ends, more)

    def where(self, table: Table, query: Query) -> tuple[str, list[Any]]:
        """Return the condition of a query in SQL, with its parameters."""
        condition = Condition(self.model, table)
        where = condition.write(query.filter) if query.filter else "1"
        if (restriction := self.restriction(table)) is None:
            return where, condition.parameters
        readable, parameters = restriction
        return f"{where} AND {readable}", [*condition.parameters, *parameters]

    def size(self, query: Query, preferences: Preferences, largest: int) -> tuple[int, bool]:
        """Return the number of rows in a page, and whether `$top` limits the rows."""
        wish = preferences.page_size
        if wish is not None:
            # A page size overrides $top; a page size above the limit is ignored.
            return (wish if 0 < wish <= largest else largest), False
        if query.top is not None:
            return min(query.top, largest), True
        return largest, False

    def _order(self, table: Table, query: Query) -> str:
        if not query.order:
            return order_of_key(table)
        parts = [
            f"{order_of(table, part.column)}{' DESC' if part.descending else ''}"
            for part in query.order
        ]
        named = {part.column.property_name for part in query.order}
        if not named.issuperset(table.row_key) and not table.union_of:
            # Rows with equal values are in storage order, not in the order of the key that the
            # cookie compares.
            parts.append("rowid")
        return ", ".join(parts)

    def totals(
        self,
        table: Table,
        query: Query,
        annotations: tuple[str, ...],
    ) -> list[str]:
        """Return the members of a response that describe all rows of the query."""
        total, exceeded, head = -1, False, []
        if query.count:
            number = self.store.count(table, *self.where(table, query))
            total, exceeded = min(number, LARGEST_COUNT), number > LARGEST_COUNT
            head.append(f'"@odata.count":{total}')
        for name, value in (
            (TOTAL, str(total)),
            (LIMIT_EXCEEDED, str(exceeded).lower()),
            (GLOBAL_VERSION, f'"{self.model.version}"'),
        ):
            if wanted(name, annotations):
                head.append(f'"@{name}":{value}')
        return head

    def count(self, table: Table, raw: str) -> int:
        """Return the number of rows of a query, without the service's limit."""
        query = self.parse(table, raw)
        return self.store.count(table, *self.where(table, query))

    def total(self, table: Table) -> int:
        """Return the number of all rows of a table, whether or not the caller may list them."""
        return self.store.count(table)

    def single(
        self, table: Table, key: str, root: str, raw: str, annotations: tuple[str, ...]
    ) -> bytes:
        """Return one row by its key, `accounts(guid)` or `accounts(a='x',b=1)`."""
        query = query_options.read(raw, self.model, table)
        names, values = self._key(table, key)
        if table.table_type is TableType.ELASTIC and len(names) == 1:
            # Without a partition, the partition is the one named by the id of the row.
            names.append(PARTITION)
            values.append(options(raw).get("partitionId", values[0]))
        where = " AND ".join(f"{quoted(name)} = ?" for name in names)
        found = self.store.select(
            f"SELECT {self.renderer.row(table, query.select, annotations)} "  # noqa: S608  - made of the model's names
            f"FROM {quoted(table.name)} WHERE {where}",
            values,
        )
        if not found:
            raise no_record(table.schema_name, key)
        selected = bodies.selected(query.named)
        context = bodies.context(root, f"{table.set_name}{selected}/$entity")
        return bodies.entity(context, found[0][0])

    def _key(self, table: Table, key: str) -> tuple[list[str], list[Any]]:
        names, values = [], []
        for position, part in enumerate(key.split(",")):
            name, equals, text = part.partition("=")
            if not equals:
                name, text = table.row_key[position % len(table.row_key)], part
            column = table.by_property.get(name.strip())
            if column is None:
                raise unknown_segment(key)
            kind = "string" if column.edm_type == "Edm.String" else ""
            text = text.strip()
            if text.startswith("'"):
                text = text[1:-1].replace("''", "'")
            names.append(column.property_name)
            values.append(stored_value(column, Literal(kind, text)))
        if len(names) != len(table.row_key) and len(names) > 1:
            message = "The number of keys specified does not match."
            raise bad_query(message)
        return names, values

    def stored(self, table: Table) -> bytes:
        """Return all stored rows with all their columns as a JSON array."""
        order = order_of_key(table)
        row, name = self.renderer.row(table, etag=False), quoted(table.name)
        found = self.store.select(f"SELECT {row} FROM {name} ORDER BY {order}")  # noqa: S608  - made of the model's names
        return bodies.array(row for (row,) in found)
