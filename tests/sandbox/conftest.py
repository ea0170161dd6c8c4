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
    """The shared sandbox, without the faults and switches of the previous test."""
    switches = shared_sandbox.configure(
        page_delay_ms=0,
        page_size_cap=5000,
        forbidden_tables=[],
        forbidden_tracking=[],
        delta_links=True,
        delta_links_beside_annotations=True,
        link_origin="",
        longest_url=0,
        long_url_status=404,
        more_records_without_link=False,
        guid_comparison="understood",
        unsortable_tables=[],
        virtual_provider="absent",
        virtual_provider_status=400,
        user_language=1033,
        clock="",
        clock_offset=0,
        token_lifetime=3599,
        single_use_refresh_tokens=False,
    )
    yield shared_sandbox
    shared_sandbox.clear_faults()
    shared_sandbox.clear_requests()
    shared_sandbox.configure(**switches)


@pytest.fixture(scope="module")
def own() -> Iterator[Sandbox]:
    """A sandbox of the module's own, whose tokens may be revoked."""
    with running(rows=10) as sandbox:
        yield sandbox


@pytest.fixture
def api(sandbox: Sandbox) -> Api:
    """A signed-in client of the shared sandbox."""
    return Api(sandbox)
