"""Fixtures of the simulation: a sandbox and its catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox import client
from tests.simulation import runs
from tests.simulation.history import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox
    from tests.tap import Message


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    """A sandbox whose rows, tables and clock the tests change."""
    with client.running(rows=100) as running:
        yield running


@pytest.fixture(scope="module")
def catalog(service: Sandbox) -> Message:
    """The catalog that the tap discovers."""
    return runs.discover({**service.settings, "tables": [*KEYS]})
