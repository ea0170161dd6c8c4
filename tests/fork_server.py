"""Fork server: starts the project's commands without the second that their imports take.

One process imports the commands once, and forks for each start. The child gets the arguments,
working directory, environment and standard streams asked for, runs the command as `python -m`
does, and ends as the interpreter ends. Its exit code comes back through a pipe of its own.

    server = ForkServer(["tap_dynamics365.tap"])
    with server.start(("-m", "tap_dynamics365"), ["--about"], cwd=folder) as process:
        output, log = process.communicate(timeout=60)

What is decided before Python runs its first line can't be asked for: variables that Python or the
C library read at start, closed standard streams, the name of the process. `start` refuses such
variables; tests of these things start a process of their own.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import types
import weakref
from typing import IO, TYPE_CHECKING, Any, Self

from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

# Variables that are read before the first line of Python runs, and that of them which a forked
# process can follow.
READ_AT_START = ("PYTHON", "LC_", "LANG", "MALLOC_", "GLIBC_", "LD_")
EMULATED = {"PYTHONUNBUFFERED"}

# Before each job: the length of what describes it. With it come four file descriptors.
LENGTH = struct.Struct("!I")
# What comes back: first the process id, at the end the exit code.
NUMBER = struct.Struct("!q")


class Forked:
    """A forked process, with the interface of `subprocess.Popen` as far as tests use it.

    Args:
        arguments: Its command line.
        answers: The file descriptor on which its process id comes, and then its exit code.
        stdout: The end of the pipe to read its standard output from, if there is one.
        stderr: The end of the pipe to read its standard error from, if there is one.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        answers: int,
        stdout: IO[bytes] | None,
        stderr: IO[bytes] | None,
    ) -> None:
        self.args = [*arguments]
        self.stdin = None
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._answers = answers
        # The number may be in use by a thread that waits: it is given back with the object.
        weakref.finalize(self, os.close, answers)
        self._reading = threading.Lock()
        self._collected: dict[IO[bytes], bytes] = {}
        self._collectors: list[threading.Thread] = []
        self.pid = self._read()

    def __enter__(self) -> Self:
        """Leave it running."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the pipes, and wait for its end."""
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.close()
        self.wait()

    def poll(self) -> int | None:
        """Tell the exit code, or None while it runs."""
        if self.returncode is None and select.select([self._answers], [], [], 0)[0]:
            self._take_exit_code()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Args:
            timeout: How many seconds at most; None for as long as it takes.

        Returns:
            The exit code; of one ended by a signal, its number below zero.

        Raises:
            TimeoutExpired: It still runs.
        """
        if self.returncode is None and not select.select([self._answers], [], [], timeout)[0]:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        self._take_exit_code()
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Read the pipes to their ends, and wait for the end.

        Args:
            timeout: How many seconds at most; it may be called once more after that.

        Returns:
            What is left of standard output and standard error; empty without a pipe.

        Raises:
            TimeoutExpired: It still runs, or somebody else holds its pipes.
        """
        end = None if timeout is None else time.monotonic() + timeout
        if not self._collectors:
            streams = [s for s in (self.stdout, self.stderr) if s and not s.closed]
            self._collectors = [
                threading.Thread(target=self._collect, args=(stream,), daemon=True)
                for stream in streams
            ]
            for thread in self._collectors:
                thread.start()
        for thread in self._collectors:
            thread.join(None if end is None else max(0, end - time.monotonic()))
            if thread.is_alive():
                assert timeout is not None
                raise subprocess.TimeoutExpired(self.args, timeout)
        for stream in self._collected:
            stream.close()
        self.wait(None if end is None else max(0, end - time.monotonic()))
        output, log = (
            self._collected.get(stream, b"") if stream else b""
            for stream in (self.stdout, self.stderr)
        )
        return output, log

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _collect(self, stream: IO[bytes]) -> None:
        self._collected[stream] = stream.read()

    def _take_exit_code(self) -> None:
        with self._reading:
            if self.returncode is None:
                self.returncode = self._read()

    def _read(self) -> int:
        answer = os.read(self._answers, NUMBER.size)
        if len(answer) < NUMBER.size:
            message = "The fork server has ended."
            raise RuntimeError(message)
        (number,) = NUMBER.unpack(answer)
        return int(number)


class ForkServer:
    """A process that has modules imported, and forks for each start of a command.

    Args:
        modules: What it imports; the processes that it forks need not.
        prepare: A function to call in it with the arguments of each start, before it forks, as
            `module:name`: what it keeps is there in all that are forked from then on.
        python: The Python of another environment, where the modules are in that.
    """

    def __init__(
        self, modules: Sequence[str], prepare: str = "", python: str = sys.executable
    ) -> None:
        self._modules = modules
        self._python = python
        self._prepare = prepare
        self._environment = {**os.environ}
        self._sending = threading.Lock()
        self._socket: socket.socket | None = None

    def start(  # noqa: PLR0913 - as of subprocess.Popen
        self,
        command: Sequence[str],
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] = os.environ,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int | IO[bytes] = subprocess.PIPE,
        start_new_session: bool = False,
        clock: Mapping[str, float] | None = None,
    ) -> Forked:
        """Start a command.

        Args:
            command: `("-m", module)` or `("-c", code)`, as behind `python`.
            arguments: The rest of the command line.
            cwd: The working directory.
            env: The environment, the whole of it.
            stdin: A file, its descriptor, or `subprocess.DEVNULL`.
            stdout: The same, or `subprocess.PIPE`.
            stderr: The same as for `stdout`.
            start_new_session: Whether it leads a session of its own.
            clock: Another time for it: `ahead` (seconds) and `speed` (how many of its seconds pass
                in one). Waits that the tap chooses itself are as much shorter.

        Raises:
            ValueError: A variable of the environment needs a process of its own.
        """
        for name in {*env, *self._environment}:
            if name.startswith(READ_AT_START) and name not in EMULATED:
                if env.get(name) == self._environment.get(name):
                    continue
                message = f"{name} is read at start: run the command in a process of its own."
                raise ValueError(message)
        job = {
            "command": command,
            "arguments": [*arguments],
            "cwd": str(cwd),
            "env": dict(env),
            "new_session": start_new_session,
            "clock": dict(clock) if clock else None,
        }
        given: list[int] = []
        pipes: list[IO[bytes] | None] = []
        opened: list[int] = []
        for stream in (stdin, stdout, stderr):
            pipe = None
            if stream == subprocess.DEVNULL:
                opened.append(os.open(os.devnull, os.O_RDWR))
                given.append(opened[-1])
            elif stream == subprocess.PIPE:
                here, there = os.pipe()
                pipe = open(here, "rb")  # noqa: PTH123, SIM115 - closed with it
                opened.append(there)
                given.append(there)
            else:
                given.append(stream if isinstance(stream, int) else stream.fileno())
            pipes.append(pipe)
        answers, theirs = os.pipe()
        try:
            self._send(job, [*given, theirs])
        finally:
            for descriptor in (*opened, theirs):
                os.close(descriptor)
        return Forked([self._python, *command, *arguments], answers, pipes[1], pipes[2])

    def _send(self, job: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        text = json.dumps(job).encode()
        with self._sending:
            if self._socket is None:
                self._socket = self._begin()
            socket.send_fds(self._socket, [LENGTH.pack(len(text))], descriptors)
            self._socket.sendall(text)

    def _begin(self) -> socket.socket:
        """Start the process."""
        ours, theirs = socket.socketpair()
        options = [str(theirs.fileno()), self._prepare, *self._modules]
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - this module
                [self._python, "-m", "tests.fork_server", *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=REPOSITORY,
                env=self._environment,
                pass_fds=[theirs.fileno()],
            )

        def end() -> None:
            # What it started goes on.
            ours.close()
            process.wait()

        atexit.register(end)
        return ours


def _serve(
    jobs: socket.socket, prepare: Callable[[list[str]], None] | None
) -> Callable[[], None] | None:
    """Fork for each job that comes.

    Args:
        jobs: Where they come from.
        prepare: What to do before, with the arguments of the job.

    Returns:
        In a child, what it has to do; in the server None, when nobody has a job any more.
    """
    running: dict[int, int] = {}
    # Ctrl-C comes to all processes of a terminal: the tests end the server when they have ended.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A child's end is a byte to read.
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
    """Take the next job and its file descriptors; an empty one when there will be none."""
    header, descriptors, _, _ = socket.recv_fds(jobs, LENGTH.size, 4)
    if not header:
        return {}, []
    (length,) = LENGTH.unpack(header)
    job: dict[str, Any] = json.loads(jobs.recv(length, socket.MSG_WAITALL))
    return job, descriptors


def _reap(running: dict[int, int]) -> None:
    """Tell how children ended, and forget them."""
    for child in [*running]:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _answer(running.pop(child), os.waitstatus_to_exitcode(status), last=True)


def _answer(descriptor: int, number: int, *, last: bool = False) -> None:
    with contextlib.suppress(BrokenPipeError):  # Nobody may want to know any more.
        os.write(descriptor, NUMBER.pack(number))
    if last:
        os.close(descriptor)


def _become(job: dict[str, Any], streams: Sequence[int]) -> None:
    """Make a forked process what a started one would be, and run the command in it."""
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
    # Opened anew: whether lines are sent one by one depends on what is behind them.
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
    """Let time be another in this process.

    Runs follow each other within the second by which versions of a table differ, and waits that
    the tap chooses itself would make hundreds of runs last for hours.
    """
    real, monotonic, sleep, begin = time.time, time.monotonic, time.sleep, time.monotonic()
    time.time = lambda: real() + ahead
    time.monotonic = lambda: begin + (monotonic() - begin) * speed
    time.sleep = lambda seconds: sleep(seconds / speed)


def _main(descriptor: str, prepare: str, *modules: str) -> None:
    for name in modules:
        importlib.import_module(name)
    module, _, name = prepare.partition(":")
    preparing = getattr(sys.modules[module], name) if prepare else None
    # To look what was imported over for garbage would have each child copy all of it, at its end
    # at the latest.
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(descriptor)) as jobs:
        work = _serve(jobs, preparing)
    if work:
        _end(_status(work))


def _status(work: Callable[[], None]) -> int:
    """Do the work, and tell with which code the process is to end."""
    try:
        work()
    except SystemExit as end:
        if isinstance(end.code, int | None):
            return end.code or 0
        raise
    return 0


def _end(status: int) -> None:
    """End as Python does, but without taking apart what was imported: most of the time goes there.

    What can't be written any more is left to Python, which tells of it.
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
