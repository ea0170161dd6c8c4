"""How a run ends when it can't write any more, or on a signal."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.auth.endpoint import SECRETS, TokenEndpoint, serving_tokens
from tests.tap import SECONDS, WAYS, Message, Run, Tap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.client import Sandbox

FULL = Path("/dev/full")
# Of Linux: the calls of a process.
CALLS = Path("/proc/self/syscall")
CLOSING = "import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
# The tap, with a signal while it writes a line of its log.
INTERRUPTED = """
import io, os, runpy, signal, sys
class Line(io.RawIOBase):
    sent = False
    def writable(self):
        return True
    def write(self, text):
        if b"Trying again" in bytes(text) and not Line.sent:
            Line.sent = True
            os.kill(os.getpid(), int(os.environ["SENT"]))
        return os.write(2, text)
sys.stderr = io.TextIOWrapper(io.BufferedWriter(Line()), line_buffering=True)
runpy.run_module("tap_dynamics365", run_name="__main__", alter_sys=True)
"""
SIGNALS = pytest.mark.parametrize(
    "sent", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"]
)


@pytest.fixture(scope="module")
def everything(sandbox: Sandbox) -> Message:
    """The catalog of a sandbox with more rows than a pipe holds."""
    return Tap(dict(sandbox.settings)).discover()


@contextmanager
def running(
    tap: Tap, folder: Path, stdout: int, *options: str, **files: Message
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the tap with its standard output led somewhere, and no longer than its test."""
    with tap.start(folder, *options, stdout=stdout, **files) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """Make a pipe of which both ends stay open."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def until_full(end: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until nothing more goes into a pipe, not one short line."""
    if not CALLS.exists():
        pytest.skip("the system does not show what a process waits for")
    while select.select([], [end], [], 0)[1]:
        assert process.poll() is None, "The tap ended before."
    # Opened again, so that the tap's own descriptor stays blocking.
    rest = os.open(f"/proc/self/fd/{end}", os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(rest, b"\n")
    os.close(rest)
    # The tap may not have reached the message that does not fit.
    while not waits_to_write(process.pid):
        assert process.poll() is None, "The tap ended before."


def waits_to_write(pid: int) -> bool:
    """Tell whether a process is in a call whose first argument is its standard output."""
    try:
        call = Path(f"/proc/{pid}/syscall").read_text().split()
    except PermissionError:
        # Not readable in some containers.
        return True
    return call[1:2] == ["0x1"]


def log_of(process: subprocess.Popen[bytes]) -> str:
    """Wait for the end of a run, and give what it logged."""
    return process.communicate(timeout=SECONDS)[1].decode()


def assert_one_sentence(log: str, words: str, way: Message | None = None) -> None:
    """The failure is reported once, after what the SDK logs of the current stream."""
    for word in ("Traceback", "Exception ignored", "BrokenPipeError"):
        assert word not in log
    errors = Run(1, "", log).logged("ERROR")
    assert words in errors[-1]
    assert len(errors) == (2 if way == WAYS["as-values"] else 1), log


@pytest.mark.parametrize("read", [0, 1, 100_000], ids=["nothing", "the first", "some"])
@pytest.mark.parametrize(
    "environment", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"]
)
def test_target_that_ends_is_reported_in_one_sentence(  # noqa: PLR0913, PLR0917 - what it varies
    sandbox: Sandbox,
    everything: Message,
    tmp_path: Path,
    way: Message,
    read: int,
    environment: dict[str, str],
) -> None:
    tap = Tap({**sandbox.settings, **way}, environment)
    there, here = os.pipe()
    with running(tap, tmp_path, here, catalog=everything) as process:
        os.close(here)
        with open(there, "rb") as output:  # noqa: PTH123 - by its number
            output.read(read)
        log = log_of(process)
    assert process.returncode == 1
    assert "The target has ended" in log
    for word in ("Traceback", "Exception ignored", "BrokenPipeError"):
        assert word not in log


@pytest.mark.parametrize("options", [["--discover"], ["--test"]], ids=["discover", "test"])
def test_other_commands_without_a_reader_end_in_one_sentence(
    sandbox: Sandbox, tmp_path: Path, options: Sequence[str]
) -> None:
    there, here = os.pipe()
    with running(Tap(dict(sandbox.settings)), tmp_path, here, *options) as process:
        os.close(here)
        os.close(there)
        log = log_of(process)
    assert process.returncode == 1
    assert "The target has ended" in log
    assert "Traceback" not in log
    assert "Exception ignored" not in log


@pytest.mark.skipif(not FULL.exists(), reason="the system has no disk that is always full")
@pytest.mark.parametrize("options", [[], ["--discover"]], ids=["sync", "discover"])
@pytest.mark.parametrize(
    "environment", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"]
)
def test_full_disk_is_reported_in_one_sentence(
    sandbox: Sandbox,
    everything: Message,
    tmp_path: Path,
    options: Sequence[str],
    environment: dict[str, str],
) -> None:
    files = {} if options else {"catalog": everything}
    tap = Tap(dict(sandbox.settings), environment)
    with FULL.open("wb") as disk, running(tap, tmp_path, disk.fileno(), *options, **files) as tap_:
        log = log_of(tap_)
    assert tap_.returncode == 1
    assert_one_sentence(log, "No space left on device")


def test_closed_stdout_is_reported_in_one_sentence(sandbox: Sandbox, everything: Message) -> None:
    command = (sys.executable, "-c", CLOSING, "-m", "tap_dynamics365")
    run = Tap(dict(sandbox.settings), command=command).run(catalog=everything)
    assert run.status == 1
    # Requests in flight may still be logged after it.
    assert_one_sentence(run.log, "Standard output is closed")


@SIGNALS
def test_signal_while_the_log_is_written_ends_the_run(
    changing_sandbox: Sandbox, everything: Message, sent: signal.Signals
) -> None:
    changing_sandbox.fault("/token", throttle="requests", retry_after="600", count=None)
    settings, environment = dict(changing_sandbox.settings), {"SENT": str(int(sent))}
    tap = Tap(settings, environment, command=("-c", INTERRUPTED))
    run = tap.run(catalog=everything)
    assert run.status == 128 + sent
    assert f"Ending on signal {sent}" in run.log
    assert "Logging error" not in run.log
    assert "Traceback" not in run.log


@SIGNALS
def test_signal_while_nothing_reads_stdout_ends_the_run(
    sandbox: Sandbox, everything: Message, tmp_path: Path, way: Message, sent: signal.Signals
) -> None:
    """The main thread is blocked by the full pipe."""
    tap = Tap({**sandbox.settings, **way})
    with pipe() as (_, here), running(tap, tmp_path, here, catalog=everything) as process:
        until_full(here, process)
        process.send_signal(sent)
        log = log_of(process)
    assert process.returncode == 128 + sent
    assert len(Run(0, "", log).logged("WARNING")) == 1
    assert "the last line is cut off" in log
    assert "Traceback" not in log


def test_signal_after_the_target_has_ended_ends_the_run(
    sandbox: Sandbox, everything: Message, tmp_path: Path
) -> None:
    """Ctrl-C ends both: it is no failure of the target's."""
    there, here = os.pipe()
    with running(Tap(dict(sandbox.settings)), tmp_path, here, catalog=everything) as process:
        until_full(here, process)
        os.close(here)
        process.send_signal(signal.SIGINT)
        os.close(there)
        log = log_of(process)
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in log
    assert not Run(0, "", log).logged("ERROR")


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    """A token endpoint that keeps those who ask waiting."""
    made = TokenEndpoint()
    with serving_tokens(made):
        made.gives("one")
        made.open.clear()
        yield made


@SIGNALS
def test_second_signal_ends_the_run_at_once(
    endpoint: TokenEndpoint, tmp_path: Path, sent: signal.Signals
) -> None:
    """The sign-in host never answers, and the tap would wait for the token that it may give."""
    settings: dict[str, Any] = {
        "service_url": "http://127.0.0.1:9/api/data/v9.2/",
        "token_uri": endpoint.url,
        "client_id": "the-client",
        "refresh_token": SECRETS["refresh_token"],
        "token_store": str(tmp_path / "token.json"),
    }
    process = Tap(settings).start(tmp_path, "--discover")
    assert endpoint.asked.wait(SECONDS)
    process.send_signal(sent)
    for line in process.stderr or ():
        if b"Ending on signal" in line:
            break
    # One that comes at the same moment is taken for the same.
    while process.poll() is None:
        process.send_signal(sent)
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    _, log = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + sent
    assert b"Ending at once" in log
