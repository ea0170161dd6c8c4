"""Fixtures: one sandbox of Business Central for the session, and a client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.central_client import CentralSandbox, running
from tests.sandbox.api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def shared_central() -> Iterator[CentralSandbox]:
    """A sandbox with a few thousand rows, which tests only read."""
    with running(rows=3_000, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def central(shared_central: CentralSandbox) -> Iterator[CentralSandbox]:
    """The shared sandbox; faults, switches and broken rows are reset after each test."""
    with shared_central.unchanged():
        yield shared_central


@pytest.fixture
def changing() -> Iterator[CentralSandbox]:
    """A sandbox for one test, which may change it."""
    with running(rows=1_000) as sandbox:
        yield sandbox


@pytest.fixture
def api(central: CentralSandbox) -> Api:
    """A signed-in client of the shared sandbox."""
    return Api(central)
