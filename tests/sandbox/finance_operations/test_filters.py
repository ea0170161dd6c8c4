"""Filters and orders, generated, against a model of them in Python."""

from __future__ import annotations

import operator
import re
import unicodedata
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.finance_client import FinanceSandbox
    from tests.sandbox.api import Api

Row = dict[str, Any]
Test = tuple[str, "Callable[[Row], bool]"]
ENUMS = "Microsoft.Dynamics.DataEntities."
ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
TABLES = (
    "CustomersV3",
    "LedgerJournalLines",
    "PriceAgreements",
    "InventOnHandEntries",
    "DualWriteProjects",
    "WorkerPositions",
    "UserDefaults",
    "Certifications",
)
# Numbers of the members, for the order of enumerations.
NUMBERS = {
    "DirPartyBaseType": {"None": 0, "Person": 1, "Organization": 2},
    "CustVendorBlocked": {"No": 0, "Invoice": 1, "All": 2, "Payment": 3, "Never": 5},
    "LedgerJournalACType": {"Ledger": 0, "Cust": 1, "Vend": 2, "Project": 3, "Bank": 6},
    "SalesStatus": {"None": 0, "Backorder": 1, "Delivered": 2, "Invoiced": 3, "Canceled": 4},
    "Timezone": {"GMT_LONDON": 35, "GMTPLUS0100BERLIN": 79, "GMT_UTC": 89},
    "NoYes": {"No": 0, "Yes": 1},
}


@cache
def weight(text: str) -> tuple[Any, ...]:
    """What the collation compares of a text: base characters, then accents."""
    folded = unicodedata.normalize("NFD", text.rstrip(" ").casefold())
    base = [each for each in folded if not unicodedata.combining(each)]
    ranks = [(not c.isascii(), c.isalpha(), c.isdigit(), c) for c in base]
    return tuple((r[0], r[1] and not r[0], r[2], r[3]) for r in ranks), folded.isascii() or folded


def order_of(kind: str, value: Any) -> Any:  # noqa: ANN401  - a value in JSON
    """What the service compares of a value."""
    if kind == "Edm.String":
        base, accents = weight(value)
        return base, "" if accents is True else accents
    if kind == "Edm.Guid":
        digits = value.replace("-", "")
        groups = [digits[start : start + 2] for start in range(0, 32, 2)]
        first = groups[3::-1] + groups[5:3:-1] + groups[7:5:-1]
        return groups[10:], groups[8:10], first[6:], first[4:6], first[:4]
    if kind.startswith(ENUMS):
        # A number without a member is above those of all members.
        return NUMBERS[kind.removeprefix(ENUMS)].get(value, 10**6)
    return value


def literal(kind: str, value: Any) -> str:  # noqa: ANN401  - as above
    """A value as a filter has it."""
    if kind == "Edm.String":
        return "'" + value.replace("'", "''") + "'"
    if kind.startswith(ENUMS):
        return f"{kind}'{value}'"
    if kind == "Edm.Boolean":
        return str(value).lower()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def same_text(text: str, wanted: str) -> bool:
    """Whether a text equals another one with wildcards."""
    one, two = (
        unicodedata.normalize("NFC", each.rstrip(" ").casefold()) for each in (text, wanted)
    )
    pattern = ".*".join(map(re.escape, two.split("*")))
    return re.fullmatch(pattern, one, re.DOTALL) is not None


class Table:
    """The rows of one set, and strategies for filters on them.

    Args:
        finance: The sandbox.
        name: The set.
    """

    def __init__(self, finance: FinanceSandbox, name: str) -> None:
        (told,) = (table for table in finance.tables() if table["name"] == name)
        reached = finance.switches()["reached_companies"]
        self.name = name
        self.key: list[str] = told["key"]
        self.kinds: dict[str, str] = {
            column: kind for column, kind in told["columns"].items() if kind != "Edm.Binary"
        }
        self.rows: list[Row] = [
            row for row in finance.rows(name) if row.get("dataAreaId", reached[0]) in reached
        ]

    @property
    def filters(self) -> st.SearchStrategy[Test]:
        """Filters: their text, and whether a row meets them."""
        return st.recursive(
            st.sampled_from(sorted(self.kinds)).flatmap(self._comparisons), _combined, max_leaves=6
        )

    def _comparisons(self, column: str) -> st.SearchStrategy[Test]:
        kind = self.kinds[column]
        known = [row[column] for row in self.rows if row[column] is not None]
        values: st.SearchStrategy[Any] = st.sampled_from(known)
        if kind == "Edm.String":
            values |= st.builds(_altered, values, st.integers(0, 7))
            values |= st.text(st.sampled_from("aC-*'0 ü&%+/1"), max_size=4)
        elif kind == "Edm.Decimal":
            values |= st.decimals(-100, 100, places=2)
        equality_only = kind.startswith(ENUMS) or kind == "Edm.Boolean"
        operators = st.sampled_from(["eq", "ne"] if equality_only else sorted(ORDERS))
        return st.builds(lambda name, value: self._test(column, name, value), operators, values)

    def _test(self, column: str, name: str, value: Any) -> Test:  # noqa: ANN401  - as above
        kind, compare = self.kinds[column], ORDERS[name]

        def met(row: Row) -> bool:
            if kind == "Edm.String" and "*" in value and name in {"eq", "ne"}:
                return same_text(row[column], value) == (name == "eq")
            return compare(order_of(kind, row[column]), order_of(kind, value))

        return f"{column} {name} {literal(kind, value)}", met

    def identity(self, row: Row) -> tuple[Any, ...]:
        """What tells rows apart: the key, or all values without one."""
        return tuple(row[name] for name in self.key or self.kinds)


def _altered(text: str, change: int) -> str:
    """A text that is equal, nearly equal, or a pattern."""
    equal = (text.upper(), text.lower() + "  ")
    other = (text[:-1], text + "0", text[:3])
    patterns = (f"*{text[2:]}", f"{text[:3]}*", f"*{text[1:-1]}*")
    return (*equal, *other, *patterns)[change]


def _combined(inner: st.SearchStrategy[Test]) -> st.SearchStrategy[Test]:
    def both(left: Test, right: Test) -> Test:
        return f"({left[0]}) and {right[0]}", lambda row: left[1](row) and right[1](row)

    def either(left: Test, right: Test) -> Test:
        return f"({left[0]} or {right[0]})", lambda row: left[1](row) or right[1](row)

    def negated(test: Test) -> Test:
        return f"not ({test[0]})", lambda row: not test[1](row)

    # A text that binds more weakly than `and` is in brackets, and so can stand on its right.
    return st.one_of(
        st.builds(lambda a, b: (f"({both(a, b)[0]})", both(a, b)[1]), inner, inner),
        st.builds(either, inner, inner),
        st.builds(negated, inner),
    )


@pytest.fixture(params=TABLES)
def table(finance: FinanceSandbox, request: pytest.FixtureRequest) -> Table:
    """One of the sets."""
    return Table(finance, request.param)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_filter_finds_the_rows_that_meet_it(api: Api, table: Table, data: st.DataObject) -> None:
    text, met = data.draw(table.filters)
    found = api.read(f"{table.name}?cross-company=true&$filter={quote(text)}")["value"]
    expected = [table.identity(row) for row in table.rows if met(row)]
    assert sorted(map(repr, map(table.identity, found))) == sorted(map(repr, expected)), text


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_order_is_that_of_the_values(api: Api, table: Table, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(table.kinds)), max_size=3, unique=True))
    names += [name for name in table.key if name not in names]
    names = names or ["Notes"]
    downwards = [data.draw(st.booleans()) for _ in names]
    order = ",".join(
        name + (" desc" if down else data.draw(st.sampled_from(["", " asc"])))
        for name, down in zip(names, downwards, strict=True)
    )
    found = api.read(f"{table.name}?cross-company=true&$orderby={quote(order)}")["value"]
    expected = table.rows
    for name, down in reversed([*zip(names, downwards, strict=True)]):
        kind = table.kinds[name]
        expected = sorted(expected, key=lambda r: order_of(kind, r[name]), reverse=down)
    kinds = [table.kinds[name] for name in names]

    def compared(row: Row) -> tuple[Any, ...]:
        return tuple(order_of(kind, row[name]) for kind, name in zip(kinds, names, strict=True))

    assert [*map(compared, found)] == [*map(compared, expected)], order
