"""Changes of a Finance & Operations: rows of several companies, with keys that are hard to compare.

Each key occurs in one spelling at a time, because the service ignores case and blanks at the end.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from sandbox.client import Transaction
    from sandbox.finance_client import FinanceSandbox
    from tests.tap import Message

    Key = tuple[Any, ...]
    # A row before and after a change; None for no row.
    Note = tuple[Message | None, Message | None]

# Sets by their replication key, and by what their key is like.
BY_DATE, BY_VERSION, TEXTS, ENUMERATION, SHARED = (
    "VendorsV2",
    "SalesOrderLines",
    "CustomersV3",
    "PriceAgreements",
    "Currencies",
)
KEYS = {
    BY_DATE: ("dataAreaId", "VendorAccountNumber"),
    BY_VERSION: ("dataAreaId", "InventoryLotId"),
    TEXTS: ("dataAreaId", "CustomerAccount"),
    # The enumeration is the last column that rows are sorted by.
    ENUMERATION: ("dataAreaId", "AccountType", "AccountCode", "FromQuantity"),
    SHARED: ("CurrencyCode",),
}
# The columns that are changed and compared.
VALUES = {
    BY_DATE: ["VendorOrganizationName", "AddressCity"],
    BY_VERSION: ["ItemNumber"],
    TEXTS: ["OrganizationName", "CreditLimit"],
    ENUMERATION: ["CurrencyCode"],
    SHARED: ["Name"],
}
# A column of a joined table, whose change does not move the date of the row.
JOINED = "AddressCity"
COMPANIES = ("usmf", "ussi", "demf", "dat")
DEFAULT = "usmf"
# Most rows belong to the first two.
CYCLE = ("usmf", "usmf", "usmf", "ussi", "ussi", "demf", "dat")
MEMBERS = (None, "Vend", "Ledger", "Bank", "Cust", "Project")
# Beginnings and ends of texts in a key, around a number.
STYLES = (
    ("C-", ""),
    ("c-", ""),
    ("C*", ""),
    ("*", ""),
    ("C-", " "),
    (" C", ""),
    ("O'C", ""),
    ("Ü-", ""),
    ("ü-", ""),
    ("50%+&", ""),
    ("[C]", ""),
)
# Few, so that many rows differ only in the enumeration.
CODES = ("", "C*1", "CA1", "c-1 ", "ü")
QUANTITIES = (0, 1, 2)

tables = st.sampled_from([*KEYS])
positions = st.integers(0, 99)


@dataclass(frozen=True)
class Change:
    """Changes of one transaction to one table.

    Attributes:
        table: The entity set.
        seed: The seed of new keys and values.
        inserts: The number of new rows.
        updates: Positions of the rows to update, modulo the number of rows.
        deletes: Positions of the rows to delete, likewise.
        respelled: Whether a row that was deleted before is inserted again, with another spelling of
            its key.
    """

    table: str
    seed: int
    inserts: int
    updates: tuple[int, ...] = ()
    deletes: tuple[int, ...] = ()
    respelled: bool = False


changes: SearchStrategy[Change] = st.builds(
    Change,
    table=tables,
    seed=st.integers(0, 999),
    inserts=st.integers(0, 7),
    updates=st.lists(positions, max_size=2).map(tuple),
    deletes=st.lists(positions, max_size=3).map(tuple),
    respelled=st.booleans(),
)
# Changes during a run: the number of the request before which the change is committed, and whether
# its rows have the time of the beginning of the transaction (otherwise, of the commit).
meanwhile = st.lists(st.tuples(st.integers(0, 5), st.booleans(), changes), max_size=2)


@dataclass
class OpenTransaction:
    """A transaction that is not committed.

    Attributes:
        transaction: The transaction.
        table: The entity set.
        keys: The folded keys of its rows.
        notes: Each of its rows before and after it.
    """

    transaction: Transaction
    table: str
    keys: set[Key]
    notes: list[Note]


def key_of(table: str, row: Message) -> Key:
    """Return the key of a row at the service or in the warehouse, which has no null in a key."""
    return tuple("" if row[name] is None else row[name] for name in KEYS[table])


def folded(key: Key) -> Key:
    """Return a key that is equal for two keys that the service takes for the same."""
    return tuple(part.rstrip().casefold() if isinstance(part, str) else part for part in key)


class Writer:
    """Makes the orders of changes; keys and values depend only on the history.

    Args:
        service: The service.
    """

    def __init__(self, service: FinanceSandbox) -> None:
        self._service = service
        self._made = 0
        #: The last deleted row of each set.
        self._gone: dict[str, Message] = {}

    def order(self, change: Change, taken: set[Key]) -> Message:
        """Choose the rows of a change.

        Args:
            change: The change.
            taken: Folded keys of the table that open transactions change.

        Returns:
            The arguments of `Sandbox.begin`.
        """
        table, rng = change.table, random.Random(change.seed)  # noqa: S311 - repeatable by design
        rows = self._service.rows(table)
        used = {folded(key_of(table, row)) for row in rows} | taken
        free = [row for row in rows if folded(key_of(table, row)) not in taken]
        updated = {place % len(free) for place in change.updates if free}
        deleted = {place % len(free) for place in change.deletes if free} - updated
        inserted = []
        for _ in range(change.inserts):
            row = self._row(table, rng)
            if folded(key_of(table, row)) not in used:
                used.add(folded(key_of(table, row)))
                inserted.append(row)
        if change.respelled and (row := self._gone.get(table)):
            last = KEYS[table][-1]
            key = {name: row[name] for name in KEYS[table]}
            if isinstance(key[last], str) and folded(key_of(table, row)) not in used:
                key[last] = key[last].swapcase()
                inserted.append({**key, **self.values(table)})
        gone = [free[place] for place in sorted(deleted)]
        if gone:
            self._gone[table] = gone[-1]
        return {
            "insert": inserted,
            "update": {place_of(table, free[place]): self.values(table) for place in updated},
            "delete": [place_of(table, row) for row in gone],
        }

    def _row(self, table: str, rng: random.Random) -> Message:
        self._made += 1
        begin, end = rng.choice(STYLES)
        text = f"{begin}{self._made}{end}"
        key: Message = {"dataAreaId": rng.choice(CYCLE)}
        if table == ENUMERATION:
            key |= {"AccountType": rng.choice(MEMBERS), "AccountCode": rng.choice(CODES)}
            key["FromQuantity"] = rng.choice(QUANTITIES)
        elif table == SHARED:
            key = {"CurrencyCode": text}
        else:
            key[KEYS[table][-1]] = text
        return {**key, **self.values(table)}

    def values(self, table: str) -> Message:
        """Make values that no row has had."""
        self._made += 1
        return {
            name: self._made if name == "CreditLimit" else f"{self._made}" for name in VALUES[table]
        }


def place_of(table: str, row: Message) -> Key:
    """Return the key of a row for the control API, in the order of the document."""
    return tuple(row[name] for name in KEYS[table])
