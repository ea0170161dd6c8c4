"""One run of one program, looked at from outside: time, processor, memory, rows, requests."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.client import Sandbox

RECORD = b'"RECORD"'
PIPE = 1 << 20
CHILD = Path(__file__).with_name("measured_process.py")
LONGEST_LINE = 1 << 20
MEGABYTE = 1 << 20


class FailedError(RuntimeError):
    """A program did not do what it was to do; the message is its own last words."""


@dataclass(frozen=True)
class Command:
    """How a program is started.

    Attributes:
        arguments: the command line.
        environment: variables added to the environment.
    """

    arguments: Sequence[object]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """What a run took.

    Attributes:
        wall: seconds from start to end.
        processor: seconds of processor time, the program's own and the system's for it.
        memory: the most memory that it had, in MB.
        rows: the rows that it put out.
        requests: the requests that it made, those to sign in included.
        wire: MB of the answers.
    """

    wall: float
    processor: float
    memory: float
    rows: int = 0
    requests: int = 0
    wire: float = 0.0


def _count(output: IO[bytes]) -> int:
    """How many messages with a row come out, or what a program says of itself: `rows 5000`."""
    rows, rest = 0, b""
    while chunk := os.read(output.fileno(), PIPE):
        # A word may be cut in two by the edge of a chunk, but not counted twice.
        text = rest + chunk
        rows += text.count(RECORD)
        rest = text[-len(RECORD) + 1 :]
    word, _, number = rest.strip().rpartition(b" ")
    return int(number) if not rows and number.isdigit() and b"rows".endswith(word[-4:]) else rows


def reporting(report: Path, arguments: Sequence[object]) -> list[str]:
    """Write the command line of a program so that what it used is written into a file.

    Args:
        report: the file.
        arguments: the program and what follows it.
    """
    return [sys.executable, "-I", "-S", str(CHILD), str(report), *map(str, arguments)]


def spent(report: Path, wall: float) -> Measurement | None:
    """Read what a program used.

    Args:
        report: the file that it was written into.
        wall: seconds that it took.

    Returns:
        Nothing, if it ended with an error.
    """
    status, used, memory = report.read_text().split() if report.exists() else ("1", "0", "0")
    if status != "0":
        return None
    return Measurement(wall, float(used), float(memory) * 1024 / MEGABYTE)


def run(command: Command, seconds: float) -> Measurement:
    """Start a program, count the rows on its standard output, and wait for its end.

    Args:
        command: how it is started.
        seconds: how long it may take.

    Raises:
        FailedError: it ended with an error, or took too long.
    """
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "used"
        begin = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603  - programs of this project's environments
            reporting(report, command.arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env={**os.environ, **command.environment},
            start_new_session=True,
        )
        late = threading.Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
        late.start()
        try:
            output = cast("IO[bytes]", process.stdout)
            with contextlib.suppress(PermissionError):
                fcntl(output.fileno(), F_SETPIPE_SZ, PIPE)
            rows = _count(output)
            process.wait()
            wall = time.perf_counter() - begin
            output.close()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            in_time = late.is_alive()
            late.cancel()
        used = spent(report, wall)
        if used is None:
            raise FailedError(_reason(errors, seconds, in_time=in_time))
    return replace(used, rows=rows)


def _reason(errors: IO[bytes], seconds: float, *, in_time: bool) -> str:
    if not in_time:
        return f"not done after {seconds:.0f} s"
    errors.seek(0)
    lines = errors.read()[-LONGEST_LINE:].decode(errors="replace").split("\n")
    return next(
        (line.strip()[-300:] for line in reversed(lines) if line.strip()), "no reason given"
    )


def watched(command: Command, seconds: float, service: Sandbox) -> Measurement:
    """The same, with what the service saw of it.

    Args:
        command: how the program is started.
        seconds: how long it may take.
        service: where it reads from.
    """
    service.clear_requests()
    found = run(command, seconds)
    log = service.requests()
    wire = sum(entry["bytes"] for entry in log) / 1e6
    return Measurement(found.wall, found.processor, found.memory, found.rows, len(log), wire)
