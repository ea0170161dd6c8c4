"""Simulation of Finance & Operations: what a warehouse holds after any history.

With table versions, a set that is read in full equals what the user may read; rows of companies
that were lost from the scope stay. Otherwise no row is missing or stale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox import finance_client
from tests.simulation import runs
from tests.simulation.finance_changes import KEYS
from tests.simulation.finance_history import FinanceHistory, Setup
from tests.simulation.simulate import simulate
from tests.storms.schedule import FULL_TABLE, INCREMENTAL
from tests.tap import MODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.finance_client import FinanceSandbox
    from tests.tap import Message

HISTORIES = 3


@pytest.fixture(scope="module")
def finance() -> Iterator[FinanceSandbox]:
    """A sandbox whose rows and clock the tests change."""
    with finance_client.running(rows=100) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def catalog(finance: FinanceSandbox) -> Message:
    """The catalog that the tap discovers."""
    return runs.discover({**finance.settings, "cross_company": True, "tables": [*KEYS]})


@pytest.mark.parametrize("parallel", [m["max_parallel_requests"] for m in MODES.values()])
@pytest.mark.parametrize("method", [FULL_TABLE, INCREMENTAL])
def test_warehouse_after_any_history_has_what_the_user_may_read(
    finance: FinanceSandbox, catalog: Message, method: str, parallel: int
) -> None:
    setup = Setup(finance, catalog, method, parallel)
    simulate(lambda: FinanceHistory(setup), HISTORIES)
