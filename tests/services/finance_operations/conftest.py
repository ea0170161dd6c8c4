"""Fixtures: a sandbox of Finance & Operations, and the tap set up for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.finance_client import FinanceSandbox, running
from tests.tap import Message, Tap

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def shared_finance() -> Iterator[FinanceSandbox]:
    """A sandbox whose rows tests only read."""
    with running(rows=2_000) as sandbox:
        yield sandbox


@pytest.fixture
def finance(shared_finance: FinanceSandbox) -> Iterator[FinanceSandbox]:
    """The shared sandbox; faults, switches and broken entities are reset after each test."""
    with shared_finance.unchanged():
        yield shared_finance


@pytest.fixture
def finance_tap(finance: FinanceSandbox) -> Tap:
    """The tap with the settings that the sandbox announces."""
    return Tap({**finance.settings})


@pytest.fixture(scope="session")
def finance_catalog(shared_finance: FinanceSandbox) -> Message:
    """The catalog of the sandbox."""
    return Tap({**shared_finance.settings}).discover()
