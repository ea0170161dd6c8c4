"""Pages: rows of an entity set as the bytes of a response.

Paging is by key: the next link has the key of the last row as `$skiptoken`. A sorted read finds its
place by looking up that row, so it skips or repeats rows if the row changes between two pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.business_central import errors, parents, queries, rendering
from sandbox.business_central.conditions import Condition
from sandbox.business_central.csdl import COMPANY
from sandbox.data.guids import sortable
from sandbox.data.model import Kind
from sandbox.data.store import order_of, order_of_key, quoted
from sandbox.query import bodies, filters
from sandbox.query.sorting import Sorting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.business_central.broken import Breakages
    from sandbox.business_central.csdl import Navigation, Shape
    from sandbox.business_central.queries import Query
    from sandbox.business_central.resources import Resource
    from sandbox.data.store import Store
    from sandbox.query.option_values import OrderBy


class View(NamedTuple):
    """How a response is written.

    Attributes:
        root: URL of the service root, for links.
        largest: Largest number of rows in a page.
        added: Options that the service adds to next links.
        empty: Whether the page has no rows, and a link to the same rows.
    """

    root: str
    largest: int
    added: Mapping[str, str]
    empty: bool = False


class Pages:
    """Answers queries of entity sets.

    Args:
        breakages: The broken rows.

    Attributes:
        sorting: Which sorted reads time out.
        guid_order: Whether the order of GUIDs can be compared.
    """

    def __init__(self, breakages: Breakages) -> None:
        self.breakages = breakages
        self.sorting = Sorting()
        self.guid_order = True

    def page(self, store: Store, resource: Resource, raw: str, view: View) -> bytes:
        """Return one page of an entity set.

        Args:
            store: The rows.
            resource: The entity set, or the rows of a parent.
            raw: The query string.
            view: How the response is written.
        """
        api, shape = resource.api, resource.shape
        query = queries.read(raw, api, shape)
        if self.sorting.times_out(shape.table, (part.column for part in query.order)):
            raise errors.timed_out()
        where, parameters = self._source(store, resource, query)
        size = view.largest if query.top is None else min(view.largest, query.top)
        order = self._order(shape, query.order)
        beyond, after = self._beyond(store, resource, query, order)
        found = self._rows(
            store, resource, query, view.root,
            f"{where} AND {beyond} ORDER BY {_sql(order)} LIMIT {size + 1} OFFSET {query.skip}",
            [*parameters, *after],
        )  # fmt: skip
        more = len(found) > size and size != query.top
        found = [] if view.empty else found[:size]
        more = more or view.empty
        last = found[-1].place if found else query.skip_token
        self._check(shape, resource.company_id, found)
        head = [bodies.context(view.root, f"{resource.path}{bodies.selected(query.select)}")]
        if query.count:
            head.append(f'"@odata.count":{store.count(shape.table, where, parameters)}')
        rows = self._expanded(store, resource, query, found, view.root)
        link = f"{view.root}{resource.path}?{query.onward(len(found), last, view.added)}"
        return bodies.page(head, rows, bodies.next_link(link) if more else "")

    def count(self, store: Store, resource: Resource, raw: str) -> int:
        """Return the number of rows of a query, whatever its `$top`."""
        query = queries.read(raw, resource.api, resource.shape)
        where, parameters = self._source(store, resource, query)
        return store.count(resource.shape.table, where, parameters)

    def single(self, store: Store, resource: Resource, raw: str, view: View) -> bytes:
        """Return one row."""
        query = queries.read(raw, resource.api, resource.shape)
        found = self._rows(store, resource, query, view.root, *resource.condition())
        if not found:
            raise errors.no_row()
        self._check(resource.shape, resource.company_id, found)
        (row,) = self._expanded(store, resource, query, found[:1], view.root)
        path = resource.path.rpartition("(")[0] or resource.path
        names = bodies.selected(query.select)
        return bodies.entity(bodies.context(view.root, f"{path}{names}/$entity"), row)

    def exists(self, store: Store, resource: Resource) -> bool:
        """Return whether the row that a resource names exists."""
        where, parameters = resource.condition()
        return store.count(resource.shape.table, where, parameters) > 0

    def stored(self, store: Store, shape: Shape) -> bytes:
        """Return all stored rows of all companies as a JSON array; streams are left out."""
        columns = [column for column in shape.shown if column.kind is not Kind.STREAM]
        row = rendering.row(shape, columns, "", etag=False)
        order = order_of_key(shape.table)
        company = f"'{{\"{COMPANY}\":' || json_quote({quoted(COMPANY)}) || ','"
        sql = (
            f"SELECT {company} || substr({row}, 2) FROM {quoted(shape.table.name)} ORDER BY {order}"  # noqa: S608  - names of the model
        )
        return bodies.array(row for (row,) in store.select(sql))

    def _source(self, store: Store, resource: Resource, query: Query) -> tuple[str, list[Any]]:
        where, parameters = resource.condition()
        if not resource.is_of_parent:
            own, given = parents.condition(
                store, resource.api, resource.shape, resource.company_id, query
            )
            where, parameters = f"{where} AND {own}", [*parameters, *given]
        if query.filter:
            condition = Condition(resource.api, resource.shape, guid_order=self.guid_order)
            where = f"{where} AND {condition.write_all(query.filter)}"
            parameters += condition.parameters
        return where, parameters

    def _order(self, shape: Shape, order: Sequence[OrderBy]) -> list[tuple[str, str, bool]]:
        """Return the columns that rows are sorted by: SQL expression, name and direction."""
        named = [(part.column.property_name, part.descending) for part in order]
        known = {name for name, _ in named}
        named += [(name, False) for name in shape.key if name not in known]
        columns = shape.table.by_property
        return [(order_of(shape.table, columns[name]), name, down) for name, down in named]

    def _beyond(
        self, store: Store, resource: Resource, query: Query, order: list[tuple[str, str, bool]]
    ) -> tuple[str, list[Any]]:
        """Return the SQL condition for the rows after the row of the skip token."""
        if not query.skip_token:
            return "1", []
        where, parameters = _key_condition(resource, query.skip_token)
        row = [(f"({sql})", name) for sql, name, _ in order]
        if not query.order:
            values = _values(resource, query.skip_token, [name for _, name in row])
        else:
            sql = f"SELECT {', '.join(sql for sql, _ in row)} FROM {quoted(resource.shape.table.name)} WHERE {quoted(COMPANY)} = ? AND {where}"  # noqa: S608, E501  - names of the model
            found = store.select(sql, [resource.company_id, *parameters])
            if not found:
                raise errors.lost_token()
            values = [c.decode() if isinstance(c, bytes) else c for c in found[0]]
        condition, given = "0", list[Any]()
        for (sql, _, down), value in reversed([*zip(order, values, strict=True)]):
            condition = f"({sql} {'<' if down else '>'} ? OR ({sql} = ? AND {condition}))"
            given = [value, value, *given]
        return condition, given

    def _rows(  # noqa: PLR0913, PLR0917  - what a query is made of
        self,
        store: Store,
        resource: Resource,
        query: Query,
        root: str,
        where: str,
        parameters: Sequence[Any],
    ) -> list[_Row]:
        shape = resource.shape
        base = resource.path.rpartition("(")[0] if resource.is_row else resource.path
        row = rendering.row(shape, query.select, f"{root}{base}")
        own = [own for each, _, _ in query.expand for own, _ in each.pairs]
        cells = [rendering.key_of(shape), *map(quoted, [*shape.key, *own])]
        sql = f"SELECT {row}, {', '.join(cells)} FROM {quoted(shape.table.name)} WHERE {where}"  # noqa: S608  - names of the model
        count = len(shape.key)
        return [
            _Row(text, place.decode(), tuple(map(_text, rest[:count])), rest[count:])
            for text, place, *rest in store.select(sql, parameters)
        ]

    def _check(self, shape: Shape, company: str, rows: Sequence[_Row]) -> None:
        self.breakages.check(shape.table, company, (row.key for row in rows))

    def _expanded(
        self, store: Store, resource: Resource, query: Query, rows: Sequence[_Row], root: str
    ) -> list[bytes]:
        """Return the JSON of rows with the rows that `$expand` adds."""
        texts = [row.text for row in rows]
        start = 0
        for navigation, shape, inner in query.expand:
            end = start + len(navigation.pairs)
            owners = [tuple(row.own[start:end]) for row in rows]
            start = end
            found = self._below(store, resource, (navigation, shape, inner), set(owners), root)
            for place, owner in enumerate(owners):
                below = found.get(owner, [])
                content = b"[" + b",".join(below) + b"]" if navigation.is_collection else b"null"
                if below and not navigation.is_collection:
                    content = below[0]
                name = f',"{navigation.name}":'.encode()
                texts[place] = texts[place][:-1] + name + content + b"}"
        return texts

    def _below(
        self,
        store: Store,
        resource: Resource,
        part: tuple[Navigation, Shape, Query],
        owners: set[tuple[Any, ...]],
        root: str,
    ) -> dict[tuple[Any, ...], list[bytes]]:
        """Return the rows that a navigation property leads to, by the values of the owners."""
        if not owners:
            return {}
        navigation, shape, query = part
        names = [other for _, other in navigation.pairs]
        where = f"{quoted(COMPANY)} = ?"
        parameters: list[Any] = [resource.company_id]
        values = ", ".join(f"({', '.join('?' * len(names))})" for _ in owners)
        where += f" AND ({', '.join(map(quoted, names))}) IN (VALUES {values})"
        parameters += [cell for owner in owners for cell in map(_plain, owner)]
        if query.filter:
            condition = Condition(resource.api, shape, guid_order=self.guid_order)
            where = f"{where} AND {condition.write_all(query.filter)}"
            parameters += condition.parameters
        base, _, _ = resource.path.rpartition("/")
        inside = resource.__class__(
            resource.api, shape, resource.company, f"{base}/{shape.table.name}".lstrip("/")
        )
        order = _sql(self._order(shape, query.order))
        found = self._rows(store, inside, query, root, f"{where} ORDER BY {order}", parameters)
        self._check(shape, resource.company_id, found)
        texts = self._expanded(store, inside, query, found, root)
        table = quoted(shape.table.name)
        sql = f"SELECT {', '.join(map(quoted, names))} FROM {table} WHERE {where} ORDER BY {order}"  # noqa: S608  - names of the model
        by_owner: dict[tuple[Any, ...], list[bytes]] = {}
        for owner, text in zip(store.select(sql, parameters), texts, strict=True):
            by_owner.setdefault(owner, []).append(text)
        return by_owner


class _Row(NamedTuple):
    """A row of a page: its JSON, its key in addresses, its key, and values for `$expand`."""

    text: bytes
    place: str
    key: tuple[str, ...]
    own: list[Any]


def _text(cell: Any) -> str:  # noqa: ANN401  - a cell
    return cell.decode() if isinstance(cell, bytes) else str(cell)


def _plain(cell: Any) -> Any:  # noqa: ANN401  - a cell
    return cell.decode() if isinstance(cell, bytes) else cell


def _sql(order: Sequence[tuple[str, str, bool]]) -> str:
    return ", ".join(f"{sql}{' DESC' if down else ''}" for sql, _, down in order)


def _key_condition(resource: Resource, token: str) -> tuple[str, list[Any]]:
    """Return the SQL condition of the row that a skip token names."""
    condition = Condition(resource.api, resource.shape)
    parts = queries.split(token, ",")
    if len(parts) != len(resource.shape.key):
        raise errors.CentralError(400, "BadRequest_InvalidToken", "The skip token is not valid.")
    named = zip(resource.shape.key, parts, strict=True)
    wheres = [condition.write(filters.parse(f"{name} eq {part}")) for name, part in named]
    return " AND ".join(wheres), condition.parameters


def _values(resource: Resource, token: str, names: Sequence[str]) -> list[Any]:
    """Return the values of a skip token, in the form in which they are sorted."""
    _, parameters = _key_condition(resource, token)
    by_name = dict(zip(resource.shape.key, parameters, strict=True))
    columns = resource.shape.table.by_property
    guids = {name for name in names if columns[name].edm_type == "Edm.Guid"}
    return [sortable(by_name[name]) if name in guids else by_name[name] for name in names]
