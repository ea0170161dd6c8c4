"""Whatever happens at the service and to the tap: after a quiet run the warehouse is the service.

Rows that INCREMENTAL cannot know to be deleted excepted. `make simulate` tries many more histories
than `make test`, and others each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.history import FULL_TABLE, INCREMENTAL, LOG_BASED, History, Setting
from tests.simulation.simulate import simulate
from tests.tap import MODES

if TYPE_CHECKING:
    from sandbox.client import Sandbox
    from tests.tap import Message

HISTORIES = 14


@pytest.mark.parametrize("parallel", [m["max_parallel_requests"] for m in MODES.values()])
@pytest.mark.parametrize("method", [INCREMENTAL, LOG_BASED, FULL_TABLE])
def test_warehouse_after_any_history_equals_the_service(
    service: Sandbox, catalog: Message, method: str, parallel: int
) -> None:
    setting = Setting(service, catalog, method, parallel)
    simulate(lambda: History(setting), HISTORIES)
