"""Settings of hypothesis for simulation and storms: number of examples, seed and phases."""

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
    """Run random histories.

    Args:
        history: A function that creates a history.
        count: The number of histories, unless SIMULATED_HISTORIES is set, as in `make simulate`.
    """
    run_state_machine_as_test(
        history,  # type: ignore[arg-type]  # any callable works
        settings=settings(
            hypothesis_settings(count, os.environ.get("SIMULATED_HISTORIES")),
            stateful_step_count=STEPS,
        ),
    )


def hypothesis_settings(count: int, thorough: str | None) -> settings:
    """Make the settings of hypothesis.

    Args:
        count: The number of examples, which are the same in each run.
        thorough: The number of examples that differ in each run, in place of `count`; None or an
            empty string leaves `count` in effect.
    """
    return settings(
        max_examples=int(thorough or count),
        database=None,
        derandomize=not thorough,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        # Shrinking a failing example takes minutes.
        phases=[Phase.generate, Phase.shrink] if thorough else [Phase.generate],
    )
