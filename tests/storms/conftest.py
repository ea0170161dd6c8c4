"""What the storms share: a service, its rows, and what runs the tap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sandbox import client
from tests.simulation import worker
from tests.storms.schedule import ROWS, SETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox
    from tests.tap import Message


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    """A Dynamics 365 with a few pages of each table, at a moment that stands still."""
    with client.running(rows=100, sizes=ROWS) as running:
        running.configure(clock="2030-01-01T00:00:00+00:00")
        yield running


@pytest.fixture(scope="module")
def catalog(service: Sandbox) -> Message:
    """What the tap discovers."""
    run = worker.run("--discover", config={**service.settings, "tables": [*SETS]})
    assert run.status == 0, run.log
    found: Message = json.loads(run.output)
    return found


@pytest.fixture(scope="module")
def rows(service: Sandbox) -> dict[str, list[Message]]:
    """The rows of the service, which do not change."""
    return {table: service.rows(table) for table in SETS}
