"""Fork server: starts the project's commands without the second that their imports take.

One process imports the commands once and forks for each start (`tests.fork_process`). The child has
the requested arguments, working directory, environment and standard streams, runs the command as
`python -m` does, and exits as the interpreter does. Its exit code is returned through a pipe.

    server = ForkServer(["tap_dynamics365.tap"])
    with server.start(("-m", "tap_dynamics365"), ["--about"], cwd=folder) as process:
        output, log = process.communicate(timeout=60)

A fork can't change what is decided before Python runs its first line: variables that Python or
the C library read at startup, closed standard streams, the name of the process. `start` refuses
such variables; tests of these things start a process of their own.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from typing import IO, TYPE_CHECKING, Any, Self

from tests.fork_process import LENGTH, NUMBER
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

# Variables that are read before Python runs its first line, and the one that a fork can emulate.
READ_AT_START = ("PYTHON", "LC_", "LANG", "MALLOC_", "GLIBC_", "LD_")
EMULATED = {"PYTHONUNBUFFERED"}


class Forked:
    """A forked process, with the part of the interface of `subprocess.Popen` that tests use.

    Args:
        arguments: The command line.
        answers: The file descriptor that yields the process ID and, at the end, the exit code.
        stdout: The pipe of standard output, or None.
        stderr: The pipe of standard error, or None.
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
        # A waiting thread may use the descriptor, so it is closed when the object is deleted.
        weakref.finalize(self, os.close, answers)
        self._reading = threading.Lock()
        self._collected: dict[IO[bytes], bytes] = {}
        self._collectors: list[threading.Thread] = []
        self.pid = self._read()

    def __enter__(self) -> Self:
        """Return the running process."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the pipes, and wait for the process to end."""
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.close()
        self.wait()

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        if self.returncode is None and select.select([self._answers], [], [], 0)[0]:
            self._take_exit_code()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end.

        Args:
            timeout: The maximum number of seconds; None means no limit.

        Returns:
            The exit code; after a signal, its number negated.

        Raises:
            TimeoutExpired: The process still runs.
        """
        if self.returncode is None and not select.select([self._answers], [], [], timeout)[0]:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        self._take_exit_code()
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Read the pipes to their ends, and wait for the process to end.

        Args:
            timeout: The maximum number of seconds; after a timeout, the method can be called again.

        Returns:
            The rest of standard output and standard error; empty without a pipe.

        Raises:
            TimeoutExpired: The process still runs, or another process holds its pipes.
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
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            # It may end between the two.
            with contextlib.suppress(ProcessLookupError):
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
    """A process that has imported modules and forks for each start of a command.

    Args:
        modules: The modules to import once, before any fork.
        prepare: A function, as `module:name`, that is called with the arguments of each start
            before the fork; all later forks share what it caches.
        python: The Python interpreter, if the modules are in another environment.
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
            command: `("-m", module)` or `("-c", code)`, as after `python`.
            arguments: The rest of the command line.
            cwd: The working directory.
            env: The whole environment.
            stdin: A file, its descriptor, or `subprocess.DEVNULL`.
            stdout: A file, its descriptor, `subprocess.DEVNULL` or `subprocess.PIPE`.
            stderr: As for `stdout`.
            start_new_session: Whether the process leads a session of its own.
            clock: The clock of the process: `ahead` (seconds) and `speed` (the number of its
                seconds that pass in one second, by which its own waits get shorter).

        Returns:
            The process.

        Raises:
            ValueError: A variable of the environment is only read when Python starts.
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
                pipe = open(here, "rb")  # noqa: PTH123, SIM115 - closed with the process
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
            process = subprocess.Popen(  # noqa: S603 - our own module
                [self._python, "-m", "tests.fork_process", *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=REPOSITORY,
                env=self._environment,
                pass_fds=[theirs.fileno()],
            )

        def end() -> None:
            # The forked processes continue.
            ours.close()
            process.wait()

        atexit.register(end)
        return ours
