"""Fixtures: one sandbox of Finance & Operations for the session, and a client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.finance_client import FinanceSandbox, running
from tests.sandbox.api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def shared_finance() -> Iterator[FinanceSandbox]:
    """A sandbox with a few thousand rows, which tests only read."""
    with running(rows=3_000, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def finance(shared_finance: FinanceSandbox) -> Iterator[FinanceSandbox]:
    """The shared sandbox; faults, switches and broken entities are reset after each test."""
    with shared_finance.unchanged():
        yield shared_finance


@pytest.fixture
def changing() -> Iterator[FinanceSandbox]:
    """A sandbox for one test, which may change it."""
    with running(rows=1_000) as sandbox:
        yield sandbox


@pytest.fixture
def api(finance: FinanceSandbox) -> Api:
    """A signed-in client of the shared sandbox."""
    return Api(finance)
