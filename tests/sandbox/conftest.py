"""Fixtures: one sandbox for the whole session, and a client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.client import Sandbox, running
from tests.sandbox.api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    """A sandbox with a few thousand rows."""
    with running(rows=3_000, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The shared sandbox; faults, switches and the log of requests are reset after each test."""
    with shared_sandbox.unchanged():
        yield shared_sandbox


@pytest.fixture(scope="module")
def own() -> Iterator[Sandbox]:
    """A sandbox of the module's own, whose tokens may be revoked."""
    with running(rows=10) as sandbox:
        yield sandbox


@pytest.fixture
def api(sandbox: Sandbox) -> Api:
    """A signed-in client of the shared sandbox."""
    return Api(sandbox)
