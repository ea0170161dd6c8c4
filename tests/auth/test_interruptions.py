"""Token store after interrupted runs: signals and killed processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.auth.endpoint import SECRETS, TokenEndpoint, sign_in, stored_token
from tests.tap import Tap
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIGURED = SECRETS["refresh_token"]


HOLDER = """
import sys, time
from tap_dynamics365.auth.token_store import TokenStore
with TokenStore(sys.argv[1]).locked():
    print("held", flush=True)
    time.sleep(600)
"""


def test_lock_of_a_killed_process_is_released(endpoint: TokenEndpoint, store_path: Path) -> None:
    endpoint.rotates("second")
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", HOLDER, str(store_path)], stdout=subprocess.PIPE, cwd=REPOSITORY
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(sign_in, endpoint, store_path)
            try:
                with pytest.raises(TimeoutError):
                    waiting.result(timeout=0.3)
                assert endpoint.forms == []
            finally:
                holder.kill()
            waiting.result()
    assert stored_token(store_path) == "second"


def tap(endpoint: TokenEndpoint, store_path: Path) -> Tap:
    """The tap with the settings of a service that does not exist: nothing listens there."""
    return Tap(
        {
            "service_url": "http://127.0.0.1:9/api/data/v9.2/",
            "token_uri": endpoint.url,
            "client_id": "the-client",
            "refresh_token": CONFIGURED,
            "token_store": str(store_path),
        }
    )


def end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """End a process."""
    process.send_signal(how)
    process.communicate(timeout=60)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_run_that_a_signal_ends_during_sign_in_stores_the_new_token(
    endpoint: TokenEndpoint, store_path: Path, how: signal.Signals
) -> None:
    """The signal comes after the request and before the answer."""
    endpoint.rotates("second", "third")
    endpoint.open.clear()
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        process = tap(endpoint, store_path).start(Path(folder), "--discover")
        assert endpoint.asked.wait(60)
        ended = pool.submit(end, process, how)
        endpoint.open.set()
        ended.result()
    assert process.returncode != 0
    assert stored_token(store_path) == "second"
    sign_in(endpoint, store_path)
    assert endpoint.refresh_tokens == [CONFIGURED, "second"]


def wait_for_first_line(process: subprocess.Popen[bytes]) -> None:
    """Wait for the first line of the log."""
    assert process.stderr is not None
    assert process.stderr.readline()


MOMENTS: dict[str, Callable[[subprocess.Popen[bytes], TokenEndpoint, Path], object]] = {
    "before any request": lambda process, _endpoint, _path: wait_for_first_line(process),
    "when the store has been written": lambda _process, _endpoint, store_path: wait_until(
        store_path.exists
    ),
    "when the service is requested": lambda process, _endpoint, _path: wait_for_words(
        process, b"Trying"
    ),
}


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition without pauses, to act as soon as it is met."""
    while not condition():
        pass


def wait_for_words(process: subprocess.Popen[bytes], words: bytes) -> None:
    """Wait for words in the log."""
    assert process.stderr is not None
    assert any(words in line for line in process.stderr)


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_run_that_is_killed_leaves_the_newest_token_for_the_next_run(
    endpoint: TokenEndpoint,
    store_path: Path,
    moment: Callable[[subprocess.Popen[bytes], TokenEndpoint, Path], object],
) -> None:
    """The endpoint accepts each refresh token once, so the next run needs the newest."""
    endpoint.rotates(*(f"token-{number}" for number in range(9)))
    with TemporaryDirectory() as folder:
        process = tap(endpoint, store_path).start(Path(folder), "--discover")
        moment(process, endpoint, store_path)
        end(process, signal.SIGKILL)
    sign_in(endpoint, store_path)
    used = endpoint.refresh_tokens
    assert used == [CONFIGURED, *(f"token-{number}" for number in range(len(used) - 1))]
