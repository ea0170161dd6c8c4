"""The servers that the tests of whole flows share."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.auth.endpoint import TokenEndpoint, serving
from tests.auth.flows import Places, refresh_token
from tests.tap import Message, choose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """The servers; each is started when it is first needed."""
    with ExitStack() as stack:
        yield Places(stack, tmp_path_factory.mktemp("places"))


@pytest.fixture(scope="module")
def one_table(places: Places) -> Message:
    """A catalog of one small table, so that a run is a sign-in and a page."""
    return choose(refresh_token(places).tap.discover(), "team")


@pytest.fixture
def dynamics(places: Places) -> Iterator[Sandbox]:
    """The Dynamics 365 of the flows, to be disturbed by one test."""
    running = places.sandbox
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
    """A token endpoint that answers as it is told."""
    made = TokenEndpoint()
    with serving(made):
        yield made
