"""Simulation of Business Central: what a warehouse holds after any history.

With table versions, a table that is read in full has exactly the rows of the companies that are
read. Otherwise no row is missing or stale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox import central_client
from tests.simulation import runs
from tests.simulation.central_changes import LIST, ROUTE, TABLES
from tests.simulation.central_history import CentralHistory
from tests.simulation.central_way import Setup
from tests.simulation.simulate import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.central_client import CentralSandbox
    from tests.tap import Message

HISTORIES = 3


@pytest.fixture(scope="module")
def central() -> Iterator[CentralSandbox]:
    """A sandbox whose companies, rows and clock the tests change."""
    with central_client.running(rows=100) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def catalog(central: CentralSandbox) -> Message:
    """The catalog that the tap discovers."""
    settings = {**central.settings, "api_routes": [ROUTE], "tables": [*TABLES, LIST]}
    return runs.discover(settings)


def test_warehouse_after_any_history_has_the_rows_of_the_companies(
    central: CentralSandbox, catalog: Message
) -> None:
    setup = Setup(central, catalog)
    simulate(lambda: CentralHistory(setup), HISTORIES)
