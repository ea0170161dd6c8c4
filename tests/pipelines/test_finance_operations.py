"""Rows of Finance & Operations in PostgreSQL are those of the service, value by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from sandbox import finance_client
from tests.pipelines.targets import target_postgres
from tests.pipelines.test_targets import COLUMN_TYPES, in_postgres
from tests.services.finance_operations.test_reads import reached, told_apart
from tests.tap import Message, Tap
from tools import warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.finance_client import FinanceSandbox
    from tools.meltano import Project
    from tools.postgres import Postgres

# Sets by what is unusual about them, with enough rows for a key that has an enumeration without a
# member.
SIZES = {
    "CustomersV3": 60,  # texts with an asterisk, quotes and blanks in the key
    "ExchangeRates": 20,  # a date in the key
    "WorkerPositions": 20,  # a time in the key
    "PriceAgreements": 120,  # an enumeration and a decimal in the key
    "JournalDefaults": 80,  # an enumeration first
    "FormulaParameters": 5,  # only an enumeration
    "DualWriteProjects": 20,  # a GUID
    "InventOnHandEntries": 20,  # a number of 64 bits
    "PostingDefinitions": 20,  # a number of 32 bits and a decimal
    "UserDefaults": 20,  # a boolean
    "DimensionCombinations": 40,  # 20 columns
    "RetailParameters": 20,  # 254 columns
    "Certifications": 20,  # no key
    "ReleasedProductsV2": 20,  # binary values
    "AutomaticCharges": 20,  # named as the type of another set
    "AutomaticChargesLine": 20,
    "VendorsV2": 40,  # a time of change
    "SalesOrderLines": 40,  # a row version
}
CHANGED = {"CustomersV3": "NameAlias", "PriceAgreements": "CurrencyCode", "JournalDefaults": "Text"}
NULL_IN_KEY = ("PriceAgreements", "JournalDefaults", "FormulaParameters")


@pytest.fixture(scope="module")
def service() -> Iterator[FinanceSandbox]:
    """A sandbox with small pages."""
    with finance_client.running(rows=50, sizes=SIZES) as sandbox:
        sandbox.configure(page_size_cap=30)
        yield sandbox


def kept(row: Message, table: Message) -> Message:
    """Return a row as PostgreSQL has to store it."""
    found = {}
    for name, kind in table["columns"].items():
        value = row[name]
        if kind in COLUMN_TYPES:
            value = in_postgres(value, kind)
        elif name in table["key"] and value is None:
            value = ""
        found[name] = value
    return found


def assert_loaded(service: FinanceSandbox, database: Postgres) -> None:
    """Assert that PostgreSQL has exactly the rows that the user may read, with all values."""
    tables = {table["name"]: table for table in service.tables()}
    with psycopg.connect(database.dsn) as connection:
        types = warehouse.columns(connection)
        assert types.keys() == SIZES.keys()
        for name in SIZES:
            kinds = tables[name]["columns"].items()
            assert types[name] == {key: COLUMN_TYPES.get(kind, "text") for key, kind in kinds}
            expected = [kept(row, tables[name]) for row in reached(service, name)]
            assert told_apart(warehouse.rows(connection, name)) == told_apart(expected), name


def change(service: FinanceSandbox, table: str, column: str) -> None:
    """Change a column of the first row that the user may read, and delete the last one."""
    key = next(found["key"] for found in service.tables() if found["name"] == table)
    wanted = service.switches()["reached_companies"]
    rows = [row for row in service.rows(table) if row.get("dataAreaId", wanted[0]) in wanted]
    first, *_, last = rows
    service.update(table, [first[name] for name in key], {column: "Changed"})
    service.delete(table, [last[name] for name in key])


def test_postgres_has_every_value_of_every_kind_of_set(
    service: FinanceSandbox,
    postgres: Postgres,
    meltano: Callable[[dict[str, str]], Project],
) -> None:
    """With versions, full tables are exact after each run."""
    config: dict[str, Any] = {
        **service.settings,
        "tables": [*SIZES],
        "cross_company": True,
        "emit_activate_version_messages": True,
    }
    target = target_postgres(meltano({}), postgres, hard_delete=True)
    first = Tap(config).sync()
    for table in NULL_IN_KEY:
        key = next(found["key"] for found in service.tables() if found["name"] == table)
        assert any(None in [row[name] for name in key] for row in service.rows(table))
    target.load(first.output)
    assert_loaded(service, postgres)

    for table, column in CHANGED.items():
        change(service, table, column)
    target.load(Tap(config).sync(state=first.state).output)
    assert_loaded(service, postgres)
