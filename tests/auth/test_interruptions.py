"""Runs that end, whatever ends them, and the token store that the next one finds."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tap_dynamics365.auth.token_store import TokenStore
from tests.auth.endpoint import SECRETS, TokenEndpoint, sent, signing
from tests.tap import Tap
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIGURED = SECRETS["refresh_token"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the token store is."""
    return tmp_path / "token.json"


def newest(path: Path) -> str:
    """The token in the store."""
    stored = TokenStore(path).read()
    assert stored is not None
    return stored.refresh_token


def run(endpoint: TokenEndpoint, path: Path) -> None:
    """Sign in as a run of the tap does."""
    sent(signing(endpoint, token_store=str(path)))


HOLDER = """
import sys, time
from tap_dynamics365.auth.token_store import TokenStore
with TokenStore(sys.argv[1]).locked():
    print("held", flush=True)
    time.sleep(600)
"""


def test_lock_of_a_killed_process_is_released(endpoint: TokenEndpoint, path: Path) -> None:
    endpoint.rotates("second")
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(run, endpoint, path)
            assert not waiting.done()
            assert endpoint.forms == []
            holder.kill()
            waiting.result()
    assert newest(path) == "second"


def tap(endpoint: TokenEndpoint, path: Path) -> Tap:
    """The tap as a process, for a service that is not there."""
    return Tap(
        {
            "service_url": "http://127.0.0.1:9/api/data/v9.2/",
            "token_uri": endpoint.url,
            "client_id": "the-client",
            "refresh_token": CONFIGURED,
            "token_store": str(path),
        }
    )


def end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """End a process."""
    process.send_signal(how)
    process.communicate(timeout=60)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_run_that_a_signal_ends_during_sign_in_stores_the_new_token(
    endpoint: TokenEndpoint, path: Path, how: signal.Signals
) -> None:
    """The host has taken the old token, and its answer is still on its way."""
    endpoint.rotates("second", "third")
    endpoint.open.clear()
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        process = tap(endpoint, path).start(Path(folder), "--discover")
        assert endpoint.asked.wait(60)
        ended = pool.submit(end, process, how)
        endpoint.open.set()
        ended.result()
    assert process.returncode != 0
    assert newest(path) == "second"
    run(endpoint, path)
    assert endpoint.refresh_tokens == [CONFIGURED, "second"]


def at_the_first_line(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process says something."""
    assert process.stderr is not None
    assert process.stderr.readline()


MOMENTS: dict[str, Callable[[subprocess.Popen[bytes], TokenEndpoint, Path], object]] = {
    "before anything was sent": lambda process, _endpoint, _path: at_the_first_line(process),
    "as soon as the store is there": lambda _process, _endpoint, path: until(path.exists),
    "as the service is asked": lambda process, _endpoint, _path: until_said(process, b"Trying"),
}


def until(happened: Callable[[], bool]) -> None:
    """Wait for something, as closely as can be."""
    while not happened():
        pass


def until_said(process: subprocess.Popen[bytes], words: bytes) -> None:
    """Wait for words in the log."""
    assert process.stderr is not None
    assert any(words in line for line in process.stderr)


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_run_that_is_killed_leaves_the_newest_token_for_the_next_run(
    endpoint: TokenEndpoint,
    path: Path,
    moment: Callable[[subprocess.Popen[bytes], TokenEndpoint, Path], object],
) -> None:
    """Each token is good for one use: the next run has to have the newest."""
    endpoint.rotates(*(f"token-{number}" for number in range(9)))
    with TemporaryDirectory() as folder:
        process = tap(endpoint, path).start(Path(folder), "--discover")
        moment(process, endpoint, path)
        end(process, signal.SIGKILL)
    run(endpoint, path)
    used = endpoint.refresh_tokens
    assert used == [CONFIGURED, *(f"token-{number}" for number in range(len(used) - 1))]
