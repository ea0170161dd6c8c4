"""Measuring of programs: duration, processor time, memory, rows, requests."""

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
    """A program failed; the message is the last line of its standard error."""


@dataclass(frozen=True)
class Command:
    """A command line.

    Attributes:
        arguments: Program and arguments.
        environment: Variables added to the environment.
    """

    arguments: Sequence[object]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """Measurement of one run.

    Attributes:
        wall: Seconds from start to end.
        processor: Seconds of processor time, in user and system mode.
        memory: Peak memory in MB.
        rows: Number of rows written.
        requests: Number of requests, including sign-in.
        wire: Size of the responses in MB.
    """

    wall: float
    processor: float
    memory: float
    rows: int = 0
    requests: int = 0
    wire: float = 0.0


def _count(output: IO[bytes]) -> int:
    """Return the number of RECORD messages, or the number that a program prints as `rows 5000`."""
    rows, rest = 0, b""
    while chunk := os.read(output.fileno(), PIPE):
        # A word may be split between two chunks, and must be counted once.
        text = rest + chunk
        rows += text.count(RECORD)
        rest = text[-len(RECORD) + 1 :]
    word, _, number = rest.strip().rpartition(b" ")
    return int(number) if not rows and number.isdigit() and b"rows".endswith(word[-4:]) else rows


def reporting(report: Path, arguments: Sequence[object]) -> list[str]:
    """Return the command line that runs a program and reports what it used.

    Args:
        report: File for the report.
        arguments: Program and arguments.
    """
    return [sys.executable, "-I", "-S", str(CHILD), str(report), *map(str, arguments)]


def spent(report: Path, wall: float) -> Measurement | None:
    """Read the report about a program.

    Args:
        report: File with the report.
        wall: Seconds that the program took.

    Returns:
        The measurement, or None if the program failed.
    """
    status, used, memory = report.read_text().split() if report.exists() else ("1", "0", "0")
    if status != "0":
        return None
    return Measurement(wall, float(used), float(memory) * 1024 / MEGABYTE)


def _widen(output: IO[bytes]) -> None:
    """Let a pipe hold more bytes, on Linux."""
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - Windows lacks it

        with contextlib.suppress(PermissionError):
            fcntl.fcntl(output.fileno(), fcntl.F_SETPIPE_SZ, PIPE)


def run(command: Command, seconds: float) -> Measurement:
    """Run a program to its end, and count the rows on its standard output.

    Args:
        command: The command line.
        seconds: Timeout in seconds.

    Raises:
        FailedError: The program failed or timed out.
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
            _widen(output)
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
        return f"not finished after {seconds:.0f} s"
    errors.seek(0)
    lines = errors.read()[-LONGEST_LINE:].decode(errors="replace").split("\n")
    return next(
        (line.strip()[-300:] for line in reversed(lines) if line.strip()), "no reason given"
    )


def watched(command: Command, seconds: float, service: Sandbox) -> Measurement:
    """Run a program as `run` does, and include what the service logged.

    Args:
        command: The command line.
        seconds: Timeout in seconds.
        service: The service that the program reads from.

    Raises:
        FailedError: The program failed or timed out.
    """
    service.clear_requests()
    found = run(command, seconds)
    log = service.requests()
    wire = sum(entry["bytes"] for entry in log) / 1e6
    return Measurement(found.wall, found.processor, found.memory, found.rows, len(log), wire)
