"""Storms of Business Central: records equal the rows, or the next run continues the read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from sandbox import central_client
from sandbox.business_central.companies import CLOSED
from sandbox.faults.central_mishaps import CENTRAL_KINDS
from tests.simulation import runs
from tests.simulation.simulate import hypothesis_settings
from tests.storms.schedule import FULL_TABLE, INCREMENTAL, Schedule, Strategies
from tests.storms.storms import Storms
from tests.tap import entry, own_metadata, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.central_client import CentralSandbox
    from tests.tap import Message

SCHEDULES = 5
# Tables by how they are read: in windows, through parents, by links alone, by a row version.
SIZES = {"customers": 13, "salesInvoices": 11, "salesInvoiceLines": 17, "customerSales": 11}
COLUMNS = {
    "customers": ["company_id", "id", "displayName", "creditLimit"],
    "salesInvoiceLines": ["company_id", "id", "documentId", "quantity"],
    "customerSales": ["company_id", "customerId", "customerNumber", "totalSalesAmount"],
}
GROWING = ("customers", "salesInvoiceLines")
SETS = ["customers", "salesInvoices", "customerSales"]
# The service does not say how long to wait. The tap waits longer than elsewhere.
FIRST_WAIT = 5.0
CENTRAL = Strategies(CENTRAL_KINDS, "/api/", SETS, ["$metadata"])


@pytest.fixture(scope="module")
def central() -> Iterator[CentralSandbox]:
    """A sandbox with a few pages of each set, all companies open, and a clock that stands still."""
    with central_client.running(rows=100, sizes=SIZES) as running:
        running.configure(clock="2030-01-01T00:00:00+00:00")
        running.remove_company(CLOSED.id)
        yield running


@pytest.fixture(scope="module")
def catalog(central: CentralSandbox) -> Message:
    """The catalog that the tap discovers."""
    return runs.discover({**central.settings, "tables": [*COLUMNS]})


@pytest.fixture(scope="module")
def rows(central: CentralSandbox) -> dict[str, list[Message]]:
    """The rows of each table, which do not change, with their company."""
    return {
        table: [{**row, "company_id": row["$company"]} for row in central.rows(table)]
        for table in COLUMNS
    }


@pytest.mark.parametrize("parallel", [1, 5])
@pytest.mark.parametrize("method", [INCREMENTAL, FULL_TABLE])
def test_records_of_a_run_with_faults_equal_the_rows_or_the_run_resumes(
    central: CentralSandbox,
    catalog: Message,
    rows: dict[str, list[Message]],
    method: str,
    parallel: int,
) -> None:
    chosen = select(catalog, dict(COLUMNS))
    for table in GROWING:
        own_metadata(entry(chosen, table))["replication-method"] = method
    storms = Storms(central, chosen, rows, COLUMNS, {"max_parallel_requests": parallel}, FIRST_WAIT)

    @hypothesis_settings(SCHEDULES, os.environ.get("STORM_SCHEDULES"))
    @given(schedule=CENTRAL.schedules)
    def check(schedule: Schedule) -> None:
        storms.check(schedule)

    check()
    assert storms.seen >= {0, 1}
