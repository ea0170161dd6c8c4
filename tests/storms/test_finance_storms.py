"""Storms of Finance & Operations: records equal the rows, or the next run continues the read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from typing_extensions import override

from sandbox import finance_client
from sandbox.faults.finance_mishaps import BROKEN, FINANCE_KINDS
from sandbox.faults.mishaps import FINAL
from tests.services.finance_operations.test_reads import reached
from tests.simulation import runs
from tests.simulation.simulate import hypothesis_settings
from tests.storms.schedule import FETCH_SIZE, FULL_TABLE, INCREMENTAL, Fault, Schedule, Strategies
from tests.storms.storms import Storms
from tests.tap import entry, own_metadata, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.finance_client import FinanceSandbox
    from tests.tap import Message, Run

SCHEDULES = 6
# Sets by replication key: a date, a version number, none; the last one has an enumeration in the
# key.
SIZES = {"VendorsV2": 13, "SalesOrderLines": 13, "PriceAgreements": 11}
GROWING = {"VendorsV2": "SysModifiedDateTime", "SalesOrderLines": "SysRowVersion"}
COLUMNS = {
    "VendorsV2": ["dataAreaId", "VendorAccountNumber", "AddressCity", "SysModifiedDateTime"],
    "SalesOrderLines": ["dataAreaId", "InventoryLotId", "LineAmount", "SysRowVersion"],
    "PriceAgreements": ["dataAreaId", "AccountType", "AccountCode", "FromQuantity", "Price"],
}
FINANCE = Strategies(FINANCE_KINDS, "/data/", [*SIZES], ["$metadata"])
TRACES = ("stacktrace", "   at ", "target of an invocation", "Xpp")


class FinanceStorms(Storms):
    """Runs of one test, none of which shows a stack trace of the service."""

    @override
    def run(self, *arguments: Any, **options: Any) -> Run:
        run = super().run(*arguments, **options)
        assert not any(trace in run.log for trace in TRACES), run.log
        return run


@pytest.fixture(scope="module")
def finance() -> Iterator[FinanceSandbox]:
    """A sandbox with a few pages of each set and a clock that stands still."""
    with finance_client.running(rows=100, sizes=SIZES) as running:
        running.configure(clock="2030-01-01T00:00:00+00:00")
        yield running


@pytest.fixture(scope="module")
def catalog(finance: FinanceSandbox) -> Message:
    """The catalog that the tap discovers."""
    return runs.discover({**finance.settings, "cross_company": True, "tables": [*SIZES]})


@pytest.fixture(scope="module")
def rows(finance: FinanceSandbox) -> dict[str, list[Message]]:
    """The rows of each set that the user may read, which do not change."""
    return {table: reached(finance, table) for table in SIZES}


@pytest.mark.parametrize("parallel", [1, 8])
@pytest.mark.parametrize("method", [INCREMENTAL, FULL_TABLE])
@pytest.mark.parametrize("honoured", [True, False], ids=["honoured", "ignored"])
def test_records_of_a_run_with_faults_equal_the_rows_or_the_run_resumes(  # noqa: PLR0913, PLR0917 - fixtures
    finance: FinanceSandbox,
    catalog: Message,
    rows: dict[str, list[Message]],
    method: str,
    parallel: int,
    honoured: bool,  # noqa: FBT001 - a parameter
) -> None:
    # Where the page size is ignored, pages have one row more than the tap asks for.
    finance.configure(
        honours_page_size=honoured, page_size_cap=10_000 if honoured else FETCH_SIZE + 1
    )
    chosen = select(catalog, dict(COLUMNS))
    for table in GROWING:
        own_metadata(entry(chosen, table))["replication-method"] = method
    settings = {"max_parallel_requests": parallel, "cross_company": True}
    storms = FinanceStorms(finance, chosen, rows, COLUMNS, settings)

    @hypothesis_settings(SCHEDULES, os.environ.get("STORM_SCHEDULES"))
    @given(schedule=FINANCE.schedules)
    def check(schedule: Schedule) -> None:
        storms.check(schedule)

    check()
    assert storms.seen >= {0, 1}


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_exception_fails_its_set_alone_with_the_words_of_the_service(
    finance: FinanceSandbox, catalog: Message, rows: dict[str, list[Message]], skip: int
) -> None:
    storms = FinanceStorms(
        finance,
        select(catalog, dict(COLUMNS)),
        rows,
        COLUMNS,
        {"max_parallel_requests": 1, "cross_company": True},
    )
    kind = FINANCE_KINDS[FINAL]["exception"]
    finance.fault(**Fault(FINAL, "exception", kind, "/VendorsV2?", skip).order)
    run = storms.run()
    finance.clear_faults()
    assert run.status == 1
    failed, conclusion = run.logged("ERROR")
    assert "'VendorsV2' failed" in failed
    assert BROKEN in failed
    assert "1 of 3 tables failed" in conclusion
    for table in ("SalesOrderLines", "PriceAgreements"):
        assert run.counts[table] == len(rows[table])
    storms.resume(run, len(run.messages))
