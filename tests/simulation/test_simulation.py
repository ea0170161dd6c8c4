"""Simulation: after any history and a final run without faults, the warehouse equals the service.

Rows whose deletion INCREMENTAL can't detect are excluded. `make simulate` runs many more histories
than `make test`, and different ones each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.filtered_history import FilteredHistory
from tests.simulation.history import History, Setup
from tests.simulation.simulate import simulate
from tests.storms.schedule import FULL_TABLE, INCREMENTAL, LOG_BASED
from tests.tap import MODES

if TYPE_CHECKING:
    from sandbox.client import Sandbox
    from tests.tap import Message

HISTORIES, FILTERED_HISTORIES = 6, 3


@pytest.mark.parametrize("parallel", [m["max_parallel_requests"] for m in MODES.values()])
@pytest.mark.parametrize("method", [INCREMENTAL, LOG_BASED, FULL_TABLE])
def test_warehouse_after_any_history_equals_the_service(
    service: Sandbox, catalog: Message, method: str, parallel: int
) -> None:
    setup = Setup(service, catalog, method, parallel)
    simulate(lambda: History(setup), HISTORIES)


@pytest.mark.parametrize("parallel", [m["max_parallel_requests"] for m in MODES.values()])
@pytest.mark.parametrize("method", [INCREMENTAL, FULL_TABLE])
def test_warehouse_after_any_history_with_filters_has_what_they_leave(
    service: Sandbox, catalog: Message, method: str, parallel: int
) -> None:
    setup = Setup(service, catalog, method, parallel)
    simulate(lambda: FilteredHistory(setup), FILTERED_HISTORIES)
