"""Rows of Business Central in PostgreSQL are those of the service, value by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.sql import SQL, Identifier

from sandbox.business_central.companies import COPY, MAIN, OWN
from sandbox.central_client import running
from tests.documents import Document
from tests.pipelines.targets import target_postgres
from tests.pipelines.test_targets import COLUMN_TYPES, in_postgres
from tests.services.business_central.rows import (
    catalog_of,
)
from tests.services.business_central.test_values import NO_MOMENT, converted
from tests.services.finance_operations.test_reads import told_apart
from tests.tap import Tap, entry, own_metadata
from tools import warehouse
from tools.meltano import plugin_settings
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.central_client import CentralSandbox
    from tests.tap import Message
    from tools.meltano import Project
    from tools.postgres import Postgres

PAGE = Document(REPOSITORY / "docs" / "business-central.md")
FIRST_ROWS = "Your first rows in ten minutes"
RUN = ("run", "tap-dynamics365", "target-postgres")

COUNT = SQL("SELECT count(*) FROM {}")

CHANGED_AT = "parentLastModifiedDateTime"
ADDED = {"company_id": "Edm.Guid", "company_name": "Edm.String"}
# The headers of lines.
HEADERS = {"salesInvoiceLines": "salesInvoices", "salesOrderLines": "salesOrders"}
FULL = {"companies", "items", "salesInvoiceLines", "customerSales"}
INCREMENTAL = {"customers", "salesOrders", "salesOrderLines", "generalLedgerEntries"}
TEXT = 'She said "O\'Neill & Söhne",\n\tthen \\n.\r\n'

Rows = dict[tuple[Any, ...], dict[str, Any]]


def company_counts(central: CentralSandbox, table: str) -> dict[str, int]:
    """The number of rows of a table, by the name of the company."""
    names = {each["id"]: each["name"] for each in central.companies()}
    found = [names[row["$company"]] for row in central.rows(table)]
    return {name: found.count(name) for name in found}


def test_meltano_yml_of_the_page_loads_companies_and_removes_deleted_rows(
    meltano: Callable[[dict[str, str]], Project],
    postgres: Postgres,
    changing_central: CentralSandbox,
) -> None:
    """The second run finds another company, and fewer rows in the first one."""
    central = changing_central
    central.configure(closed_companies=[])
    (definition,) = PAGE.blocks(FIRST_ROWS, "yaml")
    (query,) = PAGE.blocks(FIRST_ROWS, "sql")
    project = meltano(plugin_settings(central, postgres))
    definition = definition.replace("-e /path/to/clone", "-e '$TAP_REPOSITORY'")
    file = project.folder / "meltano.yml"
    file.write_text(f"send_anonymous_usage_stats: false\n{definition}")
    for is_changed in (False, True):
        if is_changed:
            central.add_company("Another Copy", copy_of=MAIN.id)
            keys = [row["id"] for row in central.rows("customers") if row["$company"] == MAIN.id]
            for key in keys[:3]:
                central.delete("customers", [MAIN.id, key])
        expected = company_counts(central, "customers")
        project.run(*RUN)
        with psycopg.connect(postgres.dsn) as connection:
            assert dict(connection.execute(query.encode()).fetchall()) == expected
            for table in ("salesOrders", "salesOrderLines"):
                count = connection.execute(COUNT.format(Identifier("central", table)))
                assert count.fetchone() == (len(central.rows(table)),)


def stored(central: CentralSandbox, name: str) -> Rows:
    """The rows of a table in all companies, as PostgreSQL has to store them, by key."""
    (table,) = [table for table in central.tables() if table["name"] == name]
    names = {each["id"]: each["name"] for each in central.companies()}
    changes = {
        (row["$company"], row["id"]): row["lastModifiedDateTime"]
        for row in central.rows(HEADERS.get(name, "salesOrders"))
    }
    found: Rows = {}
    for row in central.rows(name):
        values = converted(table, row, {})
        kinds = kinds_of(table)
        if name != "companies":
            values |= {"company_id": row["$company"], "company_name": names[row["$company"]]}
        if CHANGED_AT in kinds:
            at = changes[row["$company"], row["documentId"]]
            values[CHANGED_AT] = None if at == NO_MOMENT else at
        key = (row.get("$company"), *(row[part] for part in table["key"]))
        found[key] = {
            column: in_postgres(values[column], kind if kind in COLUMN_TYPES else "Edm.String")
            for column, kind in kinds.items()
        }
    return found


def kinds_of(table: Message) -> dict[str, str]:
    """The types of the columns of a table, with those that the tap adds."""
    name = table["name"]
    of_parent = {CHANGED_AT: "Edm.DateTimeOffset"} if name in HEADERS else {}
    return {**(ADDED if table["has_company"] else {}), **table["columns"], **of_parent}


def later(before: Rows, now: Rows) -> Rows:
    """The rows after an incremental run: those that were deleted stay, and so do old names."""
    changed = {
        key: row
        for key, row in now.items()
        if key not in before or {**before[key], "company_name": ""} != {**row, "company_name": ""}
    }
    return {**before, **changed}


def assert_loaded(central: CentralSandbox, database: Postgres, expected: dict[str, Rows]) -> None:
    """Assert that PostgreSQL has exactly these rows."""
    with psycopg.connect(database.dsn) as connection:
        types = warehouse.columns(connection)
        assert types.keys() == expected.keys()
        for table in central.tables():
            if (name := table["name"]) in expected:
                kinds = kinds_of(table).items()
                assert types[name] == {key: COLUMN_TYPES.get(kind, "text") for key, kind in kinds}
                rows = [*expected[name].values()]
                assert rows
                assert told_apart(warehouse.rows(connection, name)) == told_apart(rows), name


def of_company(central: CentralSandbox, table: str, company: str) -> list[Message]:
    """The rows of a table in one company."""
    return [row for row in central.rows(table) if row["$company"] == company]


def change(central: CentralSandbox) -> None:
    """Change and delete rows; add a company with the ids of another, and rename one."""
    customer = of_company(central, "customers", MAIN.id)[1]
    central.update("customers", [COPY.id, customer["id"]], {"displayName": TEXT})
    for table in ("items", "salesInvoiceLines", "customers"):
        row = of_company(central, table, MAIN.id)[2]
        central.delete(table, [MAIN.id, row["id"]])
    line = of_company(central, "salesOrderLines", COPY.id)[0]
    central.update("salesOrderLines", [COPY.id, line["id"]], {"description": TEXT})
    central.update("salesOrders", [COPY.id, line["documentId"]], {"customerName": "Changed"})
    central.add_company("Another Copy", copy_of=MAIN.id)
    central.rename_company(OWN.id, "Neuer Name's AG")


def test_postgres_has_every_value_of_every_company(
    postgres: Postgres, meltano: Callable[[dict[str, str]], Project]
) -> None:
    """Full tables are exact after each run, also when a company has left; others keep old rows."""
    with running(rows=900) as central:
        central.configure(closed_companies=[], page_size_cap=20)
        undated = of_company(central, "customers", OWN.id)[0]["id"]
        central.update("customers", [OWN.id, undated], {"lastModifiedDateTime": NO_MOMENT})
        tap = Tap({**central.settings, "emit_activate_version_messages": True})
        catalog = catalog_of(tap, *FULL, *INCREMENTAL)
        for name in FULL:
            own_metadata(entry(catalog, name))["replication-method"] = "FULL_TABLE"
        target = target_postgres(meltano({}), postgres, hard_delete=True)
        expected: dict[str, Rows] = {name: {} for name in FULL | INCREMENTAL}
        state = None
        for changed in (None, change, lambda central: central.remove_company(COPY.id)):
            if changed is not None:
                changed(central)
            run = tap.sync(catalog=catalog, state=state)
            target.load(run.output)
            state = run.state
            for name, before in expected.items():
                now = stored(central, name)
                expected[name] = now if name in FULL else later(before, now)
            assert_loaded(central, postgres, expected)
        texts = [row["displayName"] for row in expected["customers"].values()]
        dates = [row["lastModifiedDateTime"] for row in expected["customers"].values()]
        assert TEXT in texts
        assert None in dates
        names = {row["company_name"] for row in expected["customers"].values()}
        assert {OWN.name, COPY.name, "Another Copy"} < names
        assert COPY.name not in {row["company_name"] for row in expected["items"].values()}
