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
    run_state_machine_as_test(
        history,  # type: ignore[arg-type]  # anything that makes one
        settings=settings(
            trials(count, os.environ.get("SIMULATED_HISTORIES")), stateful_step_count=STEPS
        ),
    )


def trials(count: int, thorough: str | None) -> settings:
    """Set hypothesis up.

    Args:
        count: How many examples it tries, the same each time.
        thorough: How many in place of that, others each time.
    """
    return settings(
        max_examples=int(thorough or count),
        deadline=None,
        database=None,
        derandomize=not thorough,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        # To find the shortest example that fails takes minutes.
        phases=[Phase.generate, Phase.shrink] if thorough else [Phase.generate],
    )
