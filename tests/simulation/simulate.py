"""How many histories are tried, and which."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.history import History

STEPS = 20


def simulate(history: Callable[[], History], count: int) -> None:
    """Try histories out.

    Args:
        history: Begins one.
        count: How many; `make simulate` says otherwise.
    """
    # Otherwise the same each time. To find the shortest history that fails takes minutes.
    thorough = os.environ.get("SIMULATED_HISTORIES")
    run_state_machine_as_test(
        history,  # type: ignore[arg-type]  # anything that makes one
        settings=settings(
            max_examples=int(thorough or count),
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=not thorough,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink] if thorough else [Phase.generate],
        ),
    )
