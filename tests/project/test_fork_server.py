"""Fork server: a forked run gives what a run of the executable gives."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.tap import EXECUTABLE, FORKED, SECONDS, TAPS, Run, Tap, in_one_mode, select

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.tap import Message

# What differs from run to run: times, process ids, sizes of answers with other tokens.
VARYING = [
    (re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", re.MULTILINE), "TIME"),
    (re.compile(r'"time_extracted":"[^"]+"'), '"time_extracted":"TIME"'),
    (re.compile(r'"value":[0-9.e-]+,"tags"'), '"value":0,"tags"'),
    (re.compile(r'"pid":\d+'), '"pid":0'),
    (re.compile(r"[0-9,]+ of ([0-9,]+) (requests|seconds of work)"), r"SOME of \1 \2"),
    (re.compile(r"in \d+(\.\d+)? s:"), "in SOME s:"),
    (re.compile(r"[0-9,]+ bytes received"), "SOME bytes received"),
]
STATE_OF_PROCESS = """
import gc, json, locale, os, signal, sys, threading
print(json.dumps({
    "arguments": sys.argv,
    "name": __name__,
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "path": sys.path,
    "descriptors": sorted(os.listdir("/dev/fd"))[:3],
    "group": os.getpgid(0),
    "signals": {int(n): str(signal.getsignal(n)) for n in signal.valid_signals()},
    "blocked": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "threads": threading.active_count(),
    "locale": locale.setlocale(locale.LC_ALL),
    "mask": os.umask(0o22),
    "collector": [gc.isenabled(), gc.get_threshold()],
    "streams": [
        [s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through]
        for s in (sys.stdin, sys.stdout, sys.stderr)
    ],
}))
"""


def but_for_times(text: str) -> str:
    """Replace what differs from run to run."""
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    return text


def assert_same(tap: Tap, *arguments: str, **files: Message | None) -> Run:
    """Run the tap both ways, and compare exit code, output and log."""
    forked = replace(tap, command=FORKED).run(*arguments, **files)
    started = replace(tap, command=EXECUTABLE).run(*arguments, **files)
    assert forked.status == started.status, forked.log
    assert but_for_times(forked.output) == but_for_times(started.output)
    # The order of lines from different threads varies.
    lines = [sorted(but_for_times(run.log).splitlines()) for run in (forked, started)]
    assert lines[0] == lines[1]
    return forked


@in_one_mode
def test_forked_sync_gives_what_the_executable_gives(tap: Tap, catalog: Message) -> None:
    # The pages of several tables, and so the states between them, come in any order.
    tap = tap.but(max_parallel_requests=1)
    run = assert_same(tap, catalog=select(catalog, {"account": None}))
    assert run.status == 0
    assert run.counts.keys() == {"account"}


@in_one_mode
def test_forked_discovery_gives_what_the_executable_gives(tap: Tap) -> None:
    assert assert_same(tap.but(tables=["account", "team"]), "--discover").status == 0


@in_one_mode
@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--about"], 0), (["--help"], 0), (["--version"], 0), (["--no-such-option"], 2)],
)
def test_forked_command_line_gives_what_the_executable_gives(
    tap: Tap, arguments: Sequence[str], status: int
) -> None:
    assert assert_same(tap, *arguments).status == status


@in_one_mode
def test_forked_run_with_a_refused_config_gives_what_the_executable_gives(tap: Tap) -> None:
    assert_same(tap.but(service_url="nowhere")).refusal()


@in_one_mode
def test_forked_run_at_log_level_debug_gives_what_the_executable_gives(tap: Tap) -> None:
    """The log level comes from the environment."""
    run = assert_same(replace(tap.but(service_url=None), environment={"LOGLEVEL": "DEBUG"}))
    assert run.logged("ERROR")


@in_one_mode
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_forked_run_on_a_signal_ends_like_the_executable(
    service: Sandbox, tap: Tap, tmp_path: Path, number: signal.Signals
) -> None:
    service.fault("/accounts", delay_ms=3_000, skip=1, count=None)
    tap = tap.but(tables=["account"], max_parallel_requests=1)
    ended = []
    for command in (FORKED, EXECUTABLE):
        with replace(tap, command=command).start(tmp_path) as process:
            assert process.stdout
            head = b""
            # The bookmark after the first page. The second page takes 3 seconds.
            while b'"replication_key_value"' not in head:
                head += process.stdout.readline()
            time.sleep(0.1)
            process.send_signal(number)
            output, log = process.communicate(timeout=SECONDS)
        run = Run(process.returncode, but_for_times((head + output).decode()), log.decode())
        # How much of the other log lines is written varies.
        said = [line for line in run.logged("INFO") if "signal" in line]
        ended.append((run.status, run.output, said))
    assert ended[0] == ended[1]
    assert ended[0][0] == 128 + number
    assert ended[0][2]


@pytest.mark.parametrize(
    "own", [{}, {"TZ": "Asia/Kolkata", "HOME": "/nowhere"}, {"PYTHONUNBUFFERED": "1"}]
)
def test_forked_process_at_its_start_is_like_one_of_python(
    tmp_path: Path, own: dict[str, str]
) -> None:
    environment = {**os.environ, **own}
    command, arguments = ("-c", STATE_OF_PROCESS), ["--some", "thing"]
    with TAPS.start(command, arguments, cwd=tmp_path, env=environment) as process:
        forked = process.communicate(timeout=SECONDS)
    started = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, *command, *arguments],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert forked == (started.stdout, started.stderr)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('words')", 1),
        ("raise KeyError('x')", 1),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("import atexit; atexit.register(print, 'at the end')", 0),
        ("import threading, time; threading.Timer(0.2, print, ['late']).start()", 0),
        ("import os; os.close(1); os._exit(7)", 7),
        ("import os; print('lost'); os.close(1)", 120),
        ("import sys; sys.stdout = None", 0),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_forked_process_at_its_end_is_like_one_of_python(
    tmp_path: Path, code: str, status: int
) -> None:
    with TAPS.start(("-c", code), [], cwd=tmp_path) as process:
        output, log = process.communicate(timeout=SECONDS)
    started = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)  # noqa: S603
    assert process.returncode == started.returncode == status
    assert output == started.stdout
    assert log.splitlines()[-1:] == started.stderr.splitlines()[-1:]


def test_forked_processes_started_together_run_in_parallel(tmp_path: Path) -> None:
    """No process holds a pipe of another one, or waits for its end."""
    with TAPS.start(
        ("-c", "import time; time.sleep(60)"), [], cwd=tmp_path, env=os.environ
    ) as slow:
        with TAPS.start(("-c", "print(1)"), [], cwd=tmp_path) as fast:
            assert fast.communicate(timeout=SECONDS) == (b"1\n", b"")
        assert slow.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            slow.wait(0.1)
        with pytest.raises(subprocess.TimeoutExpired):
            slow.communicate(timeout=0.1)
        slow.kill()
        assert slow.communicate(timeout=SECONDS) == (b"", b"")
    assert slow.returncode == -signal.SIGKILL


def test_forked_processes_that_end_together_are_all_reported(tmp_path: Path) -> None:
    def begin(code: int) -> int:
        with TAPS.start(("-c", f"import os; os._exit({code})"), [], cwd=tmp_path) as process:
            return process.wait(SECONDS)

    with ThreadPoolExecutor(16) as threads:
        assert [*threads.map(begin, range(200))] == [*range(200)]


@pytest.mark.parametrize("name", ["PYTHONUTF8", "LC_ALL", "MALLOC_ARENA_MAX"])
def test_fork_with_a_variable_that_python_reads_at_start_is_refused(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(ValueError, match=name):
        TAPS.start(FORKED, [], cwd=tmp_path, env={**os.environ, name: "1"})
