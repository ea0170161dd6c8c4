"""Fixtures: a Spark session for all tests that need one."""

from __future__ import annotations

from shutil import which
from typing import TYPE_CHECKING

import pytest

from sandbox import client
from tests.spark.in_spark import session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox
    from tests.spark.in_spark.session import Spark

ROWS = 20_000
# Two tasks at a time, and two tries of each.
MASTER = "local[2,2]"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs Spark, unless `make spark-test` runs and there is Java."""
    reason = ""
    if not session.PYTHON.exists():
        reason = "runs in Apache Spark: use make spark-test"
    elif which("java") is None:
        reason = "Apache Spark needs Java 17 or later, which is not installed"
    if reason:
        for item in items:
            if "in_spark" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason))


@pytest.fixture(scope="session")
def big_sandbox() -> Iterator[Sandbox]:
    """A sandbox with many rows, which tests of streams may change."""
    with client.running(rows=ROWS) as running:
        yield running


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    """A Spark session on this machine."""
    with session.session(tmp_path_factory.mktemp("spark"), MASTER) as running:
        yield running


@pytest.fixture(scope="session")
def options(big_sandbox: Sandbox) -> dict[str, str]:
    """Options with which an app reads from the sandbox."""
    names = ("service_url", "token_uri", "client_id", "client_secret")
    return {name: big_sandbox.settings[name] for name in names}
