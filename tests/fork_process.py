"""Process of the fork server: forks for each job and turns the child into the command's process.

`tests.fork_server` starts it as `python -m tests.fork_process`. It imports nothing but the standard
library, so that it also runs with the Python of another environment.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import importlib.metadata
import io
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import threading
import time
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Header of each job: the length of its description. Four file descriptors come with the header.
LENGTH = struct.Struct("!I")
# Answers: first the process ID, at the end the exit code.
NUMBER = struct.Struct("!q")


def _serve(
    jobs: socket.socket, prepare: Callable[[list[str]], None] | None
) -> Callable[[], None] | None:
    """Fork for each job.

    Args:
        jobs: The socket from which jobs are read.
        prepare: A function to call with the arguments of each job before the fork, or None.

    Returns:
        In a child, the function that runs its command; in the server None, at the end of jobs.
    """
    running: dict[int, int] = {}
    # Ctrl-C reaches all processes of a terminal; the tests stop the server when they end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The end of a child writes a byte to the pipe, which `select` notices.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    while True:
        ready, _, _ = select.select([jobs, ended], [], [])
        if ended in ready:
            os.read(ended, 65536)
            _reap(running)
        if jobs not in ready:
            continue
        job, descriptors = _take(jobs)
        if not job:
            return None
        if prepare:
            prepare(job["arguments"])
        child = os.fork()
        if not child:
            signal.set_wakeup_fd(-1)
            return functools.partial(_become, job, descriptors[:3])
        for descriptor in descriptors[:3]:
            os.close(descriptor)
        running[child] = descriptors[3]
        _answer(descriptors[3], child)


def _take(jobs: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Read the next job and its file descriptors; the job is empty at the end of jobs."""
    header, descriptors, _, _ = socket.recv_fds(jobs, LENGTH.size, 4)
    if not header:
        return {}, []
    (length,) = LENGTH.unpack(header)
    job: dict[str, Any] = json.loads(jobs.recv(length, socket.MSG_WAITALL))
    return job, descriptors


def _reap(running: dict[int, int]) -> None:
    """Send the exit codes of children that have ended, and remove the children."""
    for child in [*running]:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _answer(running.pop(child), os.waitstatus_to_exitcode(status), last=True)


def _answer(descriptor: int, number: int, *, last: bool = False) -> None:
    with contextlib.suppress(BrokenPipeError):  # The reader may have gone.
        os.write(descriptor, NUMBER.pack(number))
    if last:
        os.close(descriptor)


def _become(job: dict[str, Any], streams: Sequence[int]) -> None:
    """Give a child the state of a newly started process, and run the command in it."""
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    if job["new_session"]:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    time.tzset()
    # Opened again, because buffering depends on whether a stream is a terminal.
    unbuffered = bool(job["env"].get("PYTHONUNBUFFERED"))
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        mode = "wb" if descriptor else "rb"
        raw = open(descriptor, mode, buffering=0, closefd=False)  # noqa: SIM115 - to the end
        raw.name = old.name
        buffer = raw
        if not descriptor:
            buffer = io.BufferedReader(raw)
        elif not unbuffered:
            buffer = io.BufferedWriter(raw)
        stream = io.TextIOWrapper(
            buffer,
            old.encoding,
            old.errors,
            newline="\n" if descriptor else None,
            line_buffering=not unbuffered and (name == "stderr" or raw.isatty()),
            write_through=unbuffered,
        )
        stream.mode = old.mode
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    if job["clock"]:
        _set_clock(**job["clock"])
    kind, program = job["command"]
    if kind == "-m":
        sys.path[0] = job["cwd"]
        sys.argv = [program, *job["arguments"]]
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = ""
        sys.argv = ["-c", *job["arguments"]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(program, "<string>", "exec"), main.__dict__)  # noqa: S102 - the tests' own


def _set_clock(ahead: float = 0, speed: float = 1) -> None:
    """Replace the clock of this process.

    Runs may follow each other within one second, in which table versions would not differ. The
    tap's own waits would make hundreds of runs last for hours.
    """
    real, monotonic, sleep, begin = time.time, time.monotonic, time.sleep, time.monotonic()
    time.time = lambda: real() + ahead
    time.monotonic = lambda: begin + (monotonic() - begin) * speed
    time.sleep = lambda seconds: sleep(seconds / speed)


def _main(descriptor: str, prepare: str, *modules: str) -> None:
    for name in modules:
        importlib.import_module(name)
    # Imports what parses the metadata of a package: commands look up versions when they start.
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("singer-sdk")
    module, _, name = prepare.partition(":")
    preparing = getattr(sys.modules[module], name) if prepare else None
    # Otherwise, a garbage collection in a child would copy all memory pages of the imports.
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(descriptor)) as jobs:
        work = _serve(jobs, preparing)
    if work:
        _end(_status(work))


def _status(work: Callable[[], None]) -> int:
    """Run the command, and return the exit code of the process."""
    try:
        work()
    except SystemExit as end:
        if isinstance(end.code, int | None):
            return end.code or 0
        raise
    return 0


def _end(status: int) -> None:
    """Exit as Python does, without the slow teardown of the imported modules.

    If the standard streams can't be flushed, Python exits itself and reports the error.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - as Python calls it
    atexit._run_exitfuncs()  # noqa: SLF001 - likewise
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        sys.exit(status)
    os._exit(status)


if __name__ == "__main__":
    _main(*sys.argv[1:])
