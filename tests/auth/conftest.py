"""Fixtures of the sign-in tests: servers, a token endpoint and a token store."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.auth.endpoint import TokenEndpoint, serving_tokens
from tests.auth.flows import Servers, refresh_token
from tests.tap import Message, choose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers; each starts when it is first used."""
    with ExitStack() as stack:
        yield Servers(stack, tmp_path_factory.mktemp("servers"))


@pytest.fixture(scope="module")
def one_table(servers: Servers) -> Message:
    """A catalog of one small table, so that a run consists of a sign-in and a page."""
    return choose(refresh_token(servers).tap.discover(), "team")


@pytest.fixture
def dynamics(servers: Servers) -> Iterator[Sandbox]:
    """The sandbox of the flows; faults and switches are reset after the test."""
    running = servers.sandbox
    running.clear_requests()
    switches = running.configure(
        token_lifetime=3_599,
        single_use_refresh_tokens=False,
        not_a_member=False,
        disabled_user=False,
        page_size_cap=5_000,
    )
    yield running
    running.clear_faults()
    running.configure(**switches)


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    """A token endpoint with scripted answers."""
    made = TokenEndpoint()
    with serving_tokens(made):
        yield made


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    """The path of a token store that does not exist yet."""
    return tmp_path / "token.json"
