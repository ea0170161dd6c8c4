"""Runs of the tap without the half second that it takes to start.

A process that has the tap loaded forks for each run: the child is the tap, with its command line,
its standard output and an end by SIGKILL where one is wanted. Jobs come on standard input and
results go to standard output, a line of JSON each.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from tests.singer import REPOSITORY, Message, Run

if TYPE_CHECKING:
    from types import TracebackType


class Worker:
    """The process, to give jobs to."""

    def __enter__(self) -> Self:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.simulation.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let it end."""
        self._process.communicate()

    def run(
        self,
        *arguments: str,
        lines: int | None = None,
        ahead: int = 0,
        speed: float = 1,
        **files: Message | None,
    ) -> Run:
        """Run the tap.

        Args:
            *arguments: Options of its command line.
            lines: After how many lines of output to kill it; None lets it come to its end.
            ahead: By how many seconds its clock is ahead.
            speed: How many of its seconds pass in one.
            **files: What is in the files that options name: `config`, `catalog`, `state`.
        """
        clock = {"ahead": ahead, "speed": speed}
        job = {"arguments": arguments, "lines": lines, "clock": clock, "files": files}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return Run(**json.loads(self._process.stdout.readline()))


def _serve() -> None:
    """Do the jobs that come, one after another."""
    # Here, for the process that gives the jobs does not need it.
    from tap_dynamics365.tap import TapDynamics365  # noqa: PLC0415

    # Once: each look at it sets logging up once more.
    program = TapDynamics365.cli
    results = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        with TemporaryDirectory() as folder:
            result = _run(program, json.loads(line), Path(folder))
        results.write(json.dumps(result) + "\n")
        results.flush()


def _run(program: Any, job: Message, folder: Path) -> Message:  # noqa: ANN401 - a click command
    command = [*job["arguments"]]
    for option, content in job["files"].items():
        if content is not None:
            path = folder / f"{option}.json"
            path.write_text(json.dumps(content))
            command += [f"--{option}", str(path)]
    log = folder / "log"
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _set_clock(**job["clock"])
        _become_the_tap(program, command, writing, log)
    os.close(writing)
    output, left = [], job["lines"]
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            output.append(line.decode())
            if len(output) == left:
                os.kill(child, signal.SIGKILL)
                break
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return {"status": code, "output": "".join(output), "log": log.read_text()}


def _set_clock(ahead: float, speed: float) -> None:
    """Let time be another in this process.

    Runs follow each other within the second by which versions of a table differ, and waits that
    the tap chooses itself would make hundreds of runs last for hours.
    """
    real, monotonic, sleep, begin = time.time, time.monotonic, time.sleep, time.monotonic()
    time.time = lambda: real() + ahead
    time.monotonic = lambda: begin + (monotonic() - begin) * speed
    time.sleep = lambda seconds: sleep(seconds / speed)


def _become_the_tap(program: Any, command: list[str], output: int, log: Path) -> None:  # noqa: ANN401 - a click command
    status = 1
    try:
        os.dup2(output, 1)
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT), 2)
        program(command)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
