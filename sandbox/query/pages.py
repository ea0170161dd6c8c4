"""Rows of an entity set as the bytes of an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from sandbox.data.model import PARTITION, TableType
from sandbox.data.store import order_of, quoted
from sandbox.faults.errors import bad_query, no_record, unknown_segment
from sandbox.query import paging, query_options
from sandbox.query.filters import Literal
from sandbox.query.rendering import Renderer, wanted
from sandbox.query.shelves import Found, Shelves
from sandbox.query.sql import Condition, refuse_guid_order, stored_value

if TYPE_CHECKING:
    from collections.abc import Hashable

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
    """Answers queries over entity sets.

    Attributes:
        more_records_without_link: whether a page that is not the last tells so with `morerecords`
            and a paging cookie, and without a nextLink.
        guid_comparison: whether `gt`, `ge`, `lt` and `le` of a GUID are "understood" or "refused".
    """

    def __init__(self, model: Model, store: Store) -> None:
        self.model = model
        self.store = store
        self.renderer = Renderer(model)
        self.shelves = Shelves(model, store)
        self.more_records_without_link = False
        self.guid_comparison = "understood"

    @property
    def manners(self) -> Hashable:
        """What answers depend on beside the query and the rows."""
        return self.more_records_without_link, self.guid_comparison

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
        """One page of an entity set.

        Args:
            table: whose rows.
            root: the URL of the service, for the links.
            raw: the query string.
            preferences: the page size and the annotations asked for.
            largest: the most rows of a page.
            empty: give none of the rows, and a nextLink to the same page.
            stamp: the delta token for the last page, when changes are tracked.
        """
        asked = self.asked(table, raw)
        columns = paging.paging_columns(table, asked.order)
        number = paging.read(asked.skip_token, columns).page if asked.skip_token else 1
        size, limited = self.size(asked, preferences, largest)
        annotations = preferences.annotations
        found = self.shelves.find(table, asked, annotations, size)
        if found is None:
            found = self._search(table, asked, annotations, size)
        rows = found.rows
        context = f"{table.set_name}{self.selected(asked)}"
        head = [f'"@odata.context":"{root}$metadata#{context}"']
        head += self.totals(table, asked, annotations)
        token = tail = ""
        if empty:
            token, rows = paging.onward(asked.skip_token), []
        elif found.more and not limited:
            version = stamp.partition("%21")[0]
            token = paging.token(number, columns, found.first, found.last, version)
        link = f"{root}{quote(table.set_name)}?{asked.text}{'&' * bool(asked.text)}"
        if token:
            tail = self.onward(link, token)
        elif stamp:
            head.append(f'"@odata.deltaLink":"{link}$deltatoken={stamp}"')
        return b"".join(
            (
                f"{{{','.join(head)},".encode(),
                b'"value":[',
                b",".join(rows),
                b"]",
                tail.encode(),
                b"}",
            )
        )

    def asked(self, table: Table, raw: str) -> Query:
        """What a query string asks of a table.

        Raises:
            ServiceError: 400, in the service's words.
        """
        asked = query_options.read(raw, self.model, table)
        if self.guid_comparison == "refused" and asked.filter:
            refuse_guid_order(asked.filter, table)
        return asked

    def onward(self, link: str, token: str) -> str:
        """What a page ends with that others follow.

        Args:
            link: the query, ready for one more option.
            token: where the next page begins, encoded.
        """
        if self.more_records_without_link:
            cookie = json.dumps(unquote(token))
            return f',"@{PAGING_COOKIE}":{cookie},"@{MORE_RECORDS}":true'
        return f',"@odata.nextLink":"{link}$skiptoken={token}"'

    def _search(self, table: Table, asked: Query, annotations: tuple[str, ...], size: int) -> Found:
        """The rows of a page, of any query."""
        where, parameters = self.where(table, asked)
        columns = paging.paging_columns(table, asked.order)
        if asked.skip_token:
            cookie = paging.read(asked.skip_token, columns)
            beyond, values = paging.after(cookie, table, asked.order)
            where, parameters = f"{where} AND {beyond}", parameters + values
        row = self.renderer.row(table, asked.select, annotations)
        names = ", ".join(quoted(column.property_name) for column in columns)
        found = self.store.select(
            f"SELECT {row}, {names} FROM {quoted(table.name)} WHERE {where} "  # noqa: S608  - made of the model's names
            f"ORDER BY {self._order(table, asked)} LIMIT {size + 1}",
            parameters,
        )
        more, found = len(found) > size, found[:size]
        ends = (found[0][1:], found[-1][1:]) if found else ((), ())
        return Found([row[0] for row in found], *ends, more)

    def where(self, table: Table, asked: Query) -> tuple[str, list[Any]]:
        """The condition of a query in SQL, and its parameters."""
        condition = Condition(self.model, table)
        where = condition.write(asked.filter) if asked.filter else "1"
        return where, condition.parameters

    def selected(self, asked: Query) -> str:
        """The selected columns as a context names them."""
        names = ",".join(column.property_name for column in asked.named)
        return f"({names})" if names else ""

    def size(self, asked: Query, preferences: Preferences, largest: int) -> tuple[int, bool]:
        """How many rows, and whether that is all that was asked for."""
        wish = preferences.page_size
        if wish is not None:
            # A page size makes $top void; one that is too large is void itself.
            return (wish if 0 < wish <= largest else largest), False
        if asked.top is not None:
            return min(asked.top, largest), True
        return largest, False

    def _order(self, table: Table, asked: Query) -> str:
        if not asked.order:
            return _in_order_of_key(table)
        parts = [
            f"{order_of(table, part.column)}{' DESC' if part.descending else ''}"
            for part in asked.order
        ]
        named = {part.column.property_name for part in asked.order}
        if not named.issuperset(table.row_key) and not table.union_of:
            # Equal rows in the order of storage, not of the key that the cookie goes by.
            parts.append("rowid")
        return ", ".join(parts)

    def totals(
        self,
        table: Table,
        asked: Query,
        annotations: tuple[str, ...],
    ) -> list[str]:
        """What the head of an answer says of the whole of the rows."""
        total, exceeded, head = -1, False, []
        if asked.count:
            number = self._number(table, *self.where(table, asked))
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

    def _number(self, table: Table, where: str, parameters: list[Any]) -> int:
        sql = f"SELECT count(*) FROM {quoted(table.name)} WHERE {where}"  # noqa: S608  - made of the model's names
        return int(self.store.select(sql, parameters)[0][0])

    def count(self, table: Table, raw: str) -> int:
        """How many rows a query finds, without the service's limit."""
        asked = self.asked(table, raw)
        return self._number(table, *self.where(table, asked))

    def single(
        self, table: Table, key: str, root: str, raw: str, annotations: tuple[str, ...]
    ) -> bytes:
        """One row by its key, `accounts(guid)` or `accounts(a='x',b=1)`."""
        asked = query_options.read(raw, self.model, table)
        names, values = self._key(table, key)
        if table.table_type is TableType.ELASTIC and len(names) == 1:
            # Who names no partition means the one that has the row's own id.
            names.append(PARTITION)
            values.append(query_options.options(raw).get("partitionId", values[0]))
        where = " AND ".join(f"{quoted(name)} = ?" for name in names)
        found = self.store.select(
            f"SELECT {self.renderer.row(table, asked.select, annotations)} "  # noqa: S608  - made of the model's names
            f"FROM {quoted(table.name)} WHERE {where}",
            values,
        )
        if not found:
            raise no_record(table.schema_name, key)
        context = f"{table.set_name}{self.selected(asked)}"
        row: bytes = found[0][0]
        return f'{{"@odata.context":"{root}$metadata#{context}/$entity",'.encode() + row[1:]

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
        """Every row as it is stored, with all its columns: a JSON array."""
        order = _in_order_of_key(table)
        row, name = self.renderer.row(table, etag=False), quoted(table.name)
        found = self.store.select(f"SELECT {row} FROM {name} ORDER BY {order}")  # noqa: S608  - made of the model's names
        return b"[" + b",".join([row[0] for row in found]) + b"]"


def _in_order_of_key(table: Table) -> str:
    return ", ".join(order_of(table, table.by_property[name]) for name in table.row_key)
