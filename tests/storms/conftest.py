"""Fixtures of the storms: a sandbox, its rows and its catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox import client
from tests.simulation import runs
from tests.storms.schedule import ROWS, SETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox
    from tests.tap import Message


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    """A sandbox with a few pages of each table and a clock that stands still."""
    with client.running(rows=100, sizes=ROWS) as running:
        running.configure(clock="2030-01-01T00:00:00+00:00")
        yield running


@pytest.fixture(scope="module")
def catalog(service: Sandbox) -> Message:
    """The catalog that the tap discovers."""
    return runs.discover({**service.settings, "tables": [*SETS]})


@pytest.fixture(scope="module")
def rows(service: Sandbox) -> dict[str, list[Message]]:
    """The rows of each table, which do not change."""
    return {table: service.rows(table) for table in SETS}
