"""Fixtures that many tests share: sandbox, tap, browser, PostgreSQL, Meltano; order of tests."""

import gc
import os
import signal
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from sandbox import central_client, client, finance_client
from sandbox.central_client import CentralSandbox
from sandbox.client import Sandbox
from sandbox.finance_client import FinanceSandbox
from tests.fork_server import Forked, ForkServer
from tests.servers import chromium
from tests.tap import MODES, WAYS, Message, Tap
from tools import meltano as meltano_projects
from tools import postgres as postgres_servers
from tools.meltano import Project
from tools.postgres import Postgres
from tools.system import require_posix

# The tests fork processes.
require_posix("The test suite")
# On a busy machine, an example may take any time.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROWS = 2_000

# Sandboxes are forked from a process that has already made the rows.
SANDBOXES = ForkServer(["sandbox.__main__"], prepare="sandbox.__main__:prepare")
SERVING = "import sys; from sandbox.__main__ import main; sys.exit(main())"


def fork_sandbox(arguments: Sequence[str]) -> Forked:
    """Start a sandbox."""
    return SANDBOXES.start(("-c", SERVING), arguments, cwd=client.PROJECT, stderr=2)


client.launch = fork_sandbox
# Forked, because few tests are about how Meltano starts.
MELTANOS = ForkServer(["meltano.cli"], python=str(meltano_projects.ENVIRONMENT / "bin" / "python"))
MELTANO = "import sys; from meltano.cli import main; sys.exit(main())"


def fork_meltano(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], output: IO[str]
) -> Forked:
    """Start Meltano."""
    return MELTANOS.start(
        ("-c", MELTANO),
        arguments,
        cwd=folder,
        env=environment,
        stdout=output.fileno(),
        stderr=output.fileno(),
        start_new_session=True,
    )


# Switches that tests may change in the session's sandbox, with their initial values.
SWITCHES: dict[str, Any] = {
    "page_size_cap": 5_000,
    "forbidden_tables": [],
    "read_depths": {},
    "token_lifetime": 3_599,
    "no_metadata_changes": 0,
    "link_origin": "",
    "longest_url": 0,
    "long_url_status": 404,
    "more_records_without_link": False,
    "guid_comparison": "understood",
    "unsortable_tables": [],
    "virtual_provider": "absent",
    "virtual_provider_status": 400,
}

# A variable of the machine that would make each run unbuffered.
os.environ.pop("PYTHONUNBUFFERED", None)

# Background jobs of a shell, and the processes they start, ignore Ctrl-C: the tests that send it
# would wait for nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox for the whole session, which tests only read."""
    with client.running(rows=ROWS) as running:
        yield running


@pytest.fixture
def changing_sandbox() -> Iterator[Sandbox]:
    """A sandbox for one test, which may change it."""
    with client.running(rows=ROWS) as running:
        yield running


@pytest.fixture
def service(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox of the session or module; faults and switches are reset after each test."""
    sandbox.clear_requests()
    try:
        yield sandbox
    finally:
        sandbox.clear_faults()
        sandbox.configure(**SWITCHES)


@pytest.fixture(scope="session")
def finance_sandbox() -> Iterator[FinanceSandbox]:
    """A sandbox of Finance & Operations for the whole session, which tests only read."""
    with finance_client.running(rows=ROWS) as running:
        yield running


@pytest.fixture
def changing_finance() -> Iterator[FinanceSandbox]:
    """A sandbox of Finance & Operations for one test, which may change it."""
    with finance_client.running(rows=ROWS) as running:
        yield running


@pytest.fixture
def finance(finance_sandbox: FinanceSandbox) -> Iterator[FinanceSandbox]:
    """The session's sandbox of Finance & Operations; all but its rows is reset after each test."""
    with finance_sandbox.unchanged():
        yield finance_sandbox


@pytest.fixture(scope="session")
def central_sandbox() -> Iterator[CentralSandbox]:
    """A sandbox of Business Central for the whole session, which tests only read."""
    with central_client.running(rows=ROWS) as running:
        yield running


@pytest.fixture
def changing_central() -> Iterator[CentralSandbox]:
    """A sandbox of Business Central for one test, which may change it."""
    with central_client.running(rows=ROWS) as running:
        yield running


@pytest.fixture
def central(central_sandbox: CentralSandbox) -> Iterator[CentralSandbox]:
    """The session's sandbox of Business Central; all but its rows is reset after each test."""
    with central_sandbox.unchanged():
        yield central_sandbox


@pytest.fixture(scope="session", params=[*MODES.values()], ids=[*MODES])
def mode(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings of one mode; tests that depend on it run in each mode."""
    settings: dict[str, Any] = request.param
    return settings


@pytest.fixture(scope="session", params=["side-by-side", "as-values"])
def way(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings of the engine's way to send records, or of the SDK's. A test runs with each."""
    return WAYS[request.param]


@pytest.fixture(scope="session")
def tap_for(mode: dict[str, Any]) -> Callable[..., Tap]:
    """A function that makes the tap for a sandbox, with further settings."""
    return lambda service, **settings: Tap({**service.settings, **mode, **settings})


@pytest.fixture(scope="session")
def tap(sandbox: Sandbox, tap_for: Callable[..., Tap]) -> Tap:
    """The tap for the session's sandbox, with small pages."""
    return tap_for(sandbox, fetch_size=100)


@pytest.fixture(scope="session")
def catalog(tap: Tap) -> Message:
    """The catalog of the session's sandbox."""
    return tap.discover()


@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[..., "Browser"]]:
    """A function that starts a browser with further arguments."""
    path = chromium.executable()
    if path is None:
        pytest.skip("neither Chromium nor Chrome is installed")
    # Few tests need it.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        yield lambda *arguments: playwright.chromium.launch(
            executable_path=path, args=[*chromium.ARGUMENTS, *arguments]
        )


@pytest.fixture(scope="module")
def browser(launch: Callable[..., "Browser"]) -> Iterator["Browser"]:
    """A browser."""
    started = launch()
    yield started
    started.close()


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    """An empty page in a new browser context."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server for the whole session."""
    with postgres_servers.running() as server:
        yield server


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    """Names of databases that do not exist yet."""
    return (f"test_{number}" for number in count(1))


@pytest.fixture
def postgres(postgres_server: Postgres, database_names: Iterator[str]) -> Postgres:
    """An empty database of the PostgreSQL server."""
    return postgres_server.create(next(database_names))


@pytest.fixture(scope="session")
def needs_meltano() -> None:
    """Skip the test if Meltano is not installed."""
    if not meltano_projects.EXECUTABLE.exists():
        pytest.skip("Meltano is not installed: run `make .venv-meltano/installed`")


@pytest.fixture
def meltano(needs_meltano: None) -> Iterator[Callable[[dict[str, str]], Project]]:  # noqa: ARG001
    """A function that makes a Meltano project with these variables for its plugins."""
    with ExitStack() as projects:
        yield lambda settings: replace(
            projects.enter_context(meltano_projects.project(settings)), start=fork_meltano
        )


# Tests that run Meltano, which share its environment: folders, and files of other folders.
MELTANO_FOLDERS = {"demo", "pipelines"}
MELTANO_FILES = {
    "test_meltano.py",
    "test_meltano_yml.py",
    "test_simulation_postgres.py",
    "test_whole_way.py",
}


# The groups that take longest start first, in this order. If one of them came last, the other
# workers would wait for it.
FIRST = (
    "meltano",
    "walks",
    "tests/storms/test_storms.py",
    "tests/simulation/test_simulation.py",
    "tests/simulation/test_interruptions.py",
    "tests/simulation/test_finance_simulation.py",
    "tests/configure/test_browser.py",
    "tests/performance/test_large_catalog.py",
    "tests/project/test_release.py",
    "tests/storms/test_finance_storms.py",
    "tests/soak/test_soak.py",
)


def group(nodeid: str) -> str:
    """Name the group of a test, which runs on one worker.

    It is its file, all tests that share Meltano's environment, or all walks, which share what a
    newcomer installs.
    """
    file = PurePosixPath(nodeid.partition("::")[0])
    if "walks" in file.parts:
        return "walks"
    uses_meltano = file.name in MELTANO_FILES or not MELTANO_FOLDERS.isdisjoint(file.parts)
    return "meltano" if uses_meltano else str(file)


class ByFile(LoadScopeScheduling):
    """Scheduler that keeps the tests of a group on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--dist loadgroup`, start with the groups that take longest."""
    if config.getoption("loadgroup", default=False):
        places = {name: place for place, name in enumerate(FIRST)}
        items.sort(key=lambda item: places.get(group(item.nodeid), len(FIRST)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector away from the collected tests, which stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile | None:
    """Let `--dist loadgroup` mean these groups: pytest 9.2 ignores marks of groups."""
    if config.getvalue("dist") != "loadgroup":
        return None
    config.option.loadscopereorder = False
    return ByFile(config, log)
