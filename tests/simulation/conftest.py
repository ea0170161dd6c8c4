"""What the histories share: a service, and what runs the tap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sandbox import client
from tests.simulation import worker
from tests.simulation.history import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox
    from tests.tap import Message


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    """A Dynamics 365 to do anything to."""
    with client.running(rows=100) as running:
        yield running


@pytest.fixture(scope="module")
def catalog(service: Sandbox) -> Message:
    """What the tap discovers."""
    run = worker.run("--discover", config={**service.settings, "tables": [*KEYS]})
    assert run.status == 0, run.log
    found: Message = json.loads(run.output)
    return found
