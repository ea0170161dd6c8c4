"""The command `tap-dynamics365-login` as people run it: with a terminal, or without one."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import threading
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from tests.tap import begin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.tap import Process

SECONDS = 60
# Of the machine that the tests run on; each test says itself whether there is a browser.
FOREIGN = ("BROWSER", "DISPLAY", "SSH_", "WAYLAND_DISPLAY", "TAP_DYNAMICS365_")


def variables(settings: Mapping[str, Any]) -> dict[str, str]:
    """Write settings as variables of the environment, as Meltano does; None is none."""
    return {
        f"TAP_DYNAMICS365_{name.upper()}": str(value)
        for name, value in settings.items()
        if value is not None
    }


class Program:
    """The command at work.

    Args:
        process: It.
        terminal: The other end of its terminal, or None.
    """

    def __init__(self, process: Process, terminal: int | None) -> None:
        self.process = process
        self.terminal = terminal
        #: All that it wrote for people.
        self.told = ""
        self.printed = ""
        self._pieces: SimpleQueue[bytes] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._listen, daemon=True),
            threading.Thread(target=self._take_output, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _listen(self) -> None:
        assert self.process.stderr or self.terminal is not None
        descriptor = self.process.stderr.fileno() if self.process.stderr else self.terminal
        assert descriptor is not None
        while True:
            try:
                piece = os.read(descriptor, 65536)
            except OSError:  # what Linux says of a terminal that nobody holds any more
                piece = b""
            self._pieces.put(piece)
            if not piece:
                return

    def _take_output(self) -> None:
        assert self.process.stdout
        self.printed = self.process.stdout.read().decode()

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait until it has told something.

        Args:
            pattern: A regular expression.
        """
        while not (found := re.search(pattern, self.told)):
            piece = self._piece()
            assert piece, f"{pattern!r} is not in:\n{self.told}"
            self.told += piece
        return found

    def _piece(self) -> str:
        try:
            return self._pieces.get(timeout=SECONDS).decode().replace("\r\n", "\n")
        except Empty:
            message = f"It told nothing more after:\n{self.told}"
            raise AssertionError(message) from None

    def type(self, line: str) -> None:
        """Type a line into its terminal."""
        assert self.terminal is not None
        os.write(self.terminal, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait for its end.

        Returns:
            The exit code.
        """
        status = self.process.wait(SECONDS)
        while piece := self._piece():
            self.told += piece
        self._join()
        assert "Traceback" not in self.told
        return status

    def close(self) -> None:
        """End it, and let go of all that it held."""
        self.process.kill()
        self.process.wait()
        self._join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        if self.terminal is not None:
            os.close(self.terminal)

    def _join(self) -> None:
        for thread in self._threads:
            thread.join(SECONDS)


@contextmanager
def running(
    folder: Path,
    *arguments: str,
    terminal: bool = False,
    environment: Mapping[str, str] | None = None,
    command: tuple[str, ...] = ("-m", "tap_dynamics365.login"),
) -> Iterator[Program]:
    """Run the command, and end it with the block in any case.

    Args:
        folder: Where it runs.
        arguments: Its arguments.
        terminal: Whether it gets a terminal.
        environment: Variables added to those of the tests.
        command: How it is called, as of `Tap`.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    ours, its = pty.openpty() if terminal else (None, None)
    process = begin(
        command,
        arguments,
        cwd=folder,
        env={**own, **(environment or {})},
        stdin=its if its is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=its if its is not None else subprocess.PIPE,
        start_new_session=True,
    )
    if its is not None:
        os.close(its)
    program = Program(process, ours)
    try:
        yield program
    finally:
        program.close()
