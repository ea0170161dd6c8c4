"""Changes of a Business Central: rows of several companies, and rows that belong to parents.

A change of a line moves the time of its document, as in the service. A document that is deleted
takes its lines with it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hypothesis.strategies import SearchStrategy

    from sandbox.central_client import CentralSandbox
    from sandbox.client import Transaction
    from tests.tap import Message

    # The company and the key columns.
    Key = tuple[Any, ...]
    Rows = dict[Key, Message]
    # A table and a key.
    Place = tuple[str, Key]

COMPANY = "$company"
STAMP, BLANK = "lastModifiedDateTime", "0001-01-01T00:00:00Z"
ROUTE = "sandbox/loyalty/v1.0"


class Shape(NamedTuple):
    """What a history has to know of a table.

    Attributes:
        key: The key columns.
        value: A column whose values are never repeated.
        group: A column with few values, which filters are about; empty if there is none.
        parents: The tables of possible parents.
        parent: The column with the id of the parent.
        is_dated_by_parent: Whether the time of change is that of the parent.
    """

    key: tuple[str, ...]
    value: str
    group: str = ""
    parents: tuple[str, ...] = ()
    parent: str = ""
    is_dated_by_parent: bool = False


INVOICES, LINES, DIMENSIONS = "salesInvoices", "salesInvoiceLines", "dimensionSetLines"
CARDS, SALES, JOURNALS, LIST = "loyaltyCards", "customerSales", "journals", "companies"
SHAPES = {
    "customers": Shape(("id",), "displayName", "city"),
    INVOICES: Shape(("id",), "customerName", "currencyCode"),
    LINES: Shape(
        ("id",), "description", "lineObjectNumber", (INVOICES,), "documentId",
        is_dated_by_parent=True,
    ),
    DIMENSIONS: Shape(
        ("id",), "valueDisplayName", "code", (LINES, INVOICES), "parentId",
        is_dated_by_parent=True,
    ),
    JOURNALS: Shape(("id",), "displayName"),
    "journalLines": Shape(("id",), "description", "documentNumber", (JOURNALS,), "journalId"),
    "defaultDimensions": Shape(
        ("id",), "dimensionValueCode", "dimensionCode", ("customers",), "parentId"
    ),
    "pictures": Shape(("id",), "contentType", "", ("customers",), "id", is_dated_by_parent=True),
    SALES: Shape(("customerId", "customerNumber", "name"), "totalSalesAmount"),
    CARDS: Shape(("systemId",), "Points", "Code"),
}  # fmt: skip
# Where rows are in the messages of the tap. The journals only lead to their lines.
TABLES = [table for table in SHAPES if table != JOURNALS]
GROUPED = [table for table in TABLES if SHAPES[table].group]
BOUND = [table for table in TABLES if SHAPES[table].parents]
# Tables with a time of change that can be long ago.
DATED = {"customers", INVOICES, JOURNALS, "journalLines", "defaultDimensions"}
GROUPS = ("A", "B", "C")

positions = st.integers(0, 99)


@dataclass(frozen=True)
class Change:
    """Changes of one transaction to one table in one company.

    Attributes:
        table: The entity set.
        company: The position of the company, modulo the number of companies.
        inserts: The number of new rows.
        updates: Positions of the rows to update, modulo the number of rows.
        deletes: Positions of the rows to delete, likewise.
    """

    table: str
    company: int
    inserts: int
    updates: tuple[int, ...] = ()
    deletes: tuple[int, ...] = ()


changes: SearchStrategy[Change] = st.builds(
    Change,
    table=st.sampled_from([*SHAPES]),
    company=st.integers(0, 9),
    inserts=st.integers(0, 5),
    updates=st.lists(positions, max_size=3).map(tuple),
    deletes=st.lists(positions, max_size=2).map(tuple),
)
# Changes during a run: the number of the request before which the change is committed, and whether
# its rows have the time of the beginning of the transaction (otherwise, of the commit).
meanwhile = st.lists(st.tuples(st.integers(0, 5), st.booleans(), changes), max_size=2)


def key_of(table: str, row: Message) -> Key:
    """Return the company and the key of a row at the service."""
    return (row[COMPANY], *(row[name] for name in SHAPES[table].key))


def stored(service: CentralSandbox) -> dict[str, Rows]:
    """Return all rows of the service, by table and key."""
    return {table: {key_of(table, r): r for r in service.rows(table)} for table in SHAPES}


def parent_of(rows: dict[str, Rows], table: str, row: Message) -> Place | None:
    """Return the parent of a row; None if it has none."""
    shape = SHAPES[table]
    for parent in shape.parents:
        if (key := (row[COMPANY], row[shape.parent])) in rows[parent]:
            return parent, key
    return None


def root_of(rows: dict[str, Rows], table: str, row: Message) -> Place:
    """Return the row that a page of parents has, through which a row is read; or the row itself."""
    place = table, key_of(table, row)
    while (parent := parent_of(rows, *place[:1], rows[place[0]].get(place[1], row))) is not None:
        place = parent
    return place


def changed_at(rows: dict[str, Rows], table: str, row: Message) -> str:
    """Return the time of change by which a row is replicated; empty if it has none."""
    if SHAPES[table].is_dated_by_parent:
        name, key = root_of(rows, table, row)
        row = rows[name].get(key, row)
    return str(row.get(STAMP, ""))


def below(rows: dict[str, Rows], place: Place) -> Iterator[Place]:
    """Yield the rows that belong to a row, the lowest first."""
    for table in SHAPES:
        for key, row in rows[table].items():
            if parent_of(rows, table, row) == place:
                yield from below(rows, (table, key))
                yield table, key


@dataclass
class Orders:
    """What a change does: rows of several tables.

    Attributes:
        inserts: New rows by table.
        updates: New values by table and key.
        deletes: Keys by table.
        parents: The parents of new rows, which no other change may delete.
    """

    inserts: dict[str, list[Message]] = field(default_factory=dict)
    updates: dict[str, Rows] = field(default_factory=dict)
    deletes: dict[str, list[Key]] = field(default_factory=dict)
    parents: set[Place] = field(default_factory=set)

    @property
    def places(self) -> set[Place]:
        """The rows that are changed."""
        return {
            *((table, key_of(table, row)) for table, new in self.inserts.items() for row in new),
            *((table, key) for table, values in self.updates.items() for key in values),
            *((table, key) for table, keys in self.deletes.items() for key in keys),
        }

    def begin(self, service: CentralSandbox, *, late: bool) -> list[Transaction]:
        """Begin a transaction for each table: children before their parents."""
        return [
            service.begin(
                table,
                insert=self.inserts.get(table, ()),
                update=self.updates.get(table),
                delete=self.deletes.get(table, ()),
                late=late,
            )
            for table in reversed(SHAPES)
            if table in {*self.inserts, *self.updates, *self.deletes}
        ]


@dataclass
class OpenTransaction:
    """A change that is not committed.

    Attributes:
        change: The change.
        parts: Its transactions.
        places: Its rows.
        parents: The parents of its new rows.
        begun: When it began, in seconds.
        runs: The number of runs since.
    """

    change: Change
    parts: list[Transaction]
    places: set[Place]
    parents: set[Place]
    begun: float
    runs: int = 0


class Writer:
    """Makes the orders of changes; keys and values depend only on the history."""

    def __init__(self) -> None:
        self._made = 0

    def orders(
        self, change: Change, company: str, rows: dict[str, Rows], taken: Iterable[Place]
    ) -> Orders:
        """Choose the rows of a change.

        Args:
            change: The change.
            company: The id of the company.
            rows: The rows of the service.
            taken: Rows that open transactions change.
        """
        table, locked = change.table, {*taken}
        orders = Orders()

        def is_free(key: Key) -> bool:
            places = {(table, key), *below(rows, (table, key))}
            if SHAPES[table].is_dated_by_parent:
                places.add(root_of(rows, table, rows[table][key]))
            return locked.isdisjoint(places)

        free = [key for key in rows[table] if key[0] == company and is_free(key)]
        updated = {free[place % len(free)] for place in change.updates if free}
        deleted = {free[place % len(free)] for place in change.deletes if free} - updated
        touched = {root_of(rows, table, rows[table][key]) for key in updated | deleted}
        if updated:
            orders.updates[table] = {key: self.values(table) for key in sorted(updated)}
        for key in sorted(deleted):
            for name, each in [*below(rows, (table, key)), (table, key)]:
                orders.deletes.setdefault(name, []).append(each)
        touched |= self._insert(change, company, rows, locked, orders)
        if SHAPES[table].is_dated_by_parent:
            for name, key in sorted(touched):
                orders.updates.setdefault(name, {})[key] = {}
        return orders

    def _insert(
        self,
        change: Change,
        company: str,
        rows: dict[str, Rows],
        locked: set[Place],
        orders: Orders,
    ) -> set[Place]:
        """Order new rows, and return the rows of the pages through which they are read."""
        table = change.table
        touched: set[Place] = set()
        for place in range(change.inserts):
            parent = self._parent(change, company, rows, locked, place)
            if parent is None and SHAPES[table].parents:
                break
            if row := self._row(table, company, parent, rows, orders):
                orders.inserts.setdefault(table, []).append(row)
                if parent is not None:
                    name, key = parent
                    orders.parents.add(parent)
                    touched.add(root_of(rows, name, rows[name][key]))
        return touched

    def _parent(
        self, change: Change, company: str, rows: dict[str, Rows], locked: set[Place], place: int
    ) -> Place | None:
        """Choose a parent that no open transaction changes."""
        found = [
            (parent, key)
            for parent in SHAPES[change.table].parents
            for key, row in rows[parent].items()
            if key[0] == company and locked.isdisjoint({(parent, key), root_of(rows, parent, row)})
        ]
        return found[(place * 7 + change.inserts) % len(found)] if found else None

    def _row(
        self,
        table: str,
        company: str,
        parent: Place | None,
        rows: dict[str, Rows],
        orders: Orders,
    ) -> Message | None:
        shape = SHAPES[table]
        row: Message = {COMPANY: company, **{name: self._id() for name in shape.key}}
        if parent is not None:
            row[shape.parent] = parent[1][1]
        if table == SALES:
            # The texts of this key.
            row |= dict.fromkeys(shape.key[1:], f"{self._made}")
        new = {key_of(table, each) for each in orders.inserts.get(table, ())}
        if key_of(table, row) in rows[table].keys() | new | {*orders.deletes.get(table, ())}:
            # A customer has one picture.
            return None
        return {**row, **self.values(table)}

    def _id(self) -> str:
        """Make an id that depends only on the history; ids are not sorted."""
        self._made += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, str(self._made)))

    def values(self, table: str) -> Message:
        """Make values that no row has had."""
        self._made += 1
        shape = SHAPES[table]
        number = shape.value in {"Points", "totalSalesAmount"}
        values: Message = {shape.value: self._made if number else f"{self._made}"}
        if shape.group:
            values[shape.group] = GROUPS[self._made % len(GROUPS)]
        return values
