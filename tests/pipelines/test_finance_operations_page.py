"""Finance & Operations in PostgreSQL, by the meltano.yml of docs/finance-and-operations.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from sandbox.finance_operations.companies import REACHED
from tests.documents import Document
from tools.meltano import plugin_settings
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.finance_client import FinanceSandbox
    from tools.meltano import Project
    from tools.postgres import Postgres

PAGE = Document(REPOSITORY / "docs" / "finance-and-operations.md")
FIRST_ROWS = "Your first rows in ten minutes"
RUN = ("run", "tap-dynamics365", "target-postgres")
TABLE = "CustomersV3"
TABLES = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'finance' ORDER BY 1"
)


def customers(service: FinanceSandbox) -> dict[str, int]:
    """The number of customers of each company that the user may read."""
    found = [row["dataAreaId"] for row in service.rows(TABLE)]
    return {company: found.count(company) for company in REACHED}


def test_meltano_yml_of_the_page_loads_rows_and_removes_deleted_ones(
    meltano: Callable[[dict[str, str]], Project],
    postgres: Postgres,
    changing_finance: FinanceSandbox,
) -> None:
    (definition,) = PAGE.blocks(FIRST_ROWS, "yaml")
    (query,) = PAGE.blocks(FIRST_ROWS, "sql")
    project = meltano(plugin_settings(changing_finance, postgres))
    definition = definition.replace("-e /path/to/clone", "-e '$TAP_REPOSITORY'")
    file = project.folder / "meltano.yml"
    file.write_text(f"send_anonymous_usage_stats: false\n{definition}")
    for deleted in (0, 3):
        rows = [row for row in changing_finance.rows(TABLE) if row["dataAreaId"] == "usmf"]
        for row in rows[:deleted]:
            changing_finance.delete(TABLE, [row["dataAreaId"], row["CustomerAccount"]])
        expected = customers(changing_finance)
        project.run(*RUN)
        with psycopg.connect(postgres.dsn) as connection:
            loaded = connection.execute(query.encode()).fetchall()
            tables = connection.execute(TABLES).fetchall()
        assert dict(loaded) == expected
        assert tables == [(TABLE,), ("SalesOrderHeadersV2",)]
