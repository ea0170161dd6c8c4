"""Runs `dynamics365 login` as a process, with or without a terminal, and reads its output."""

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

    from playwright.sync_api import Page

    from tests.tap import Process

SECONDS = 60
# Variables of the machine, which are removed: each test decides whether there is a browser.
FOREIGN = ("BROWSER", "DISPLAY", "SSH_", "WAYLAND_DISPLAY", "TAP_DYNAMICS365_")


def variables(settings: Mapping[str, Any]) -> dict[str, str]:
    """Convert settings to environment variables, as Meltano does; None removes one."""
    return {
        f"TAP_DYNAMICS365_{name.upper()}": str(value)
        for name, value in settings.items()
        if value is not None
    }


class Program:
    """A running command.

    Args:
        process: The process.
        terminal: The file descriptor of the test's end of the terminal, or None.
    """

    def __init__(self, process: Process, terminal: int | None) -> None:
        self.process = process
        self.terminal = terminal
        #: The text for people, as far as it has been read: standard error or the terminal.
        self.shown = ""
        #: Standard output, once the command has ended.
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
            except OSError:  # Linux reports a terminal without a process so
                piece = b""
            self._pieces.put(piece)
            if not piece:
                return

    def _take_output(self) -> None:
        assert self.process.stdout
        self.printed = self.process.stdout.read().decode()

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait until the text for people matches.

        Args:
            pattern: A regular expression.

        Returns:
            The match.
        """
        while not (found := re.search(pattern, self.shown)):
            piece = self._piece()
            assert piece, f"The command ended, and {pattern!r} is not in:\n{self.shown}"
            self.shown += piece
        return found

    def _piece(self) -> str:
        try:
            return self._pieces.get(timeout=SECONDS).decode().replace("\r\n", "\n")
        except Empty:
            message = f"The command wrote nothing more within {SECONDS} s after:\n{self.shown}"
            raise AssertionError(message) from None

    def type(self, line: str) -> None:
        """Type a line into the terminal."""
        assert self.terminal is not None
        os.write(self.terminal, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Send the signal of Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait for the end of the command.

        Returns:
            The exit code.
        """
        status = self.process.wait(SECONDS)
        while piece := self._piece():
            self.shown += piece
        self._join()
        assert "Traceback" not in self.shown
        return status

    def close(self) -> None:
        """Kill the command and release its streams."""
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
    """Run the command, and kill it at the end of the block if it still runs.

    Args:
        folder: The working directory.
        *arguments: The arguments of the command.
        terminal: Whether the command has a terminal.
        environment: Variables in addition to those of the tests.
        command: The beginning of the command line, as for `Tap`.
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


def address(program: Program) -> str:
    """Wait for the address that the person has to open."""
    return program.expect(r"(?m)^(http\S+/authorize\?\S+)$")[1]


def redirect_uri(program: Program) -> str:
    """Wait for the address, and return the URL at which the command waits for the browser."""
    port = re.search(r"redirect_uri=http%3A%2F%2Flocalhost%3A(\d+)&", address(program))
    assert port
    return f"http://localhost:{port[1]}/"


def state(program: Program) -> str:
    """Wait for the address, and return its `state`."""
    found = re.search(r"[?&]state=([^&]+)", address(program))
    assert found
    return found[1]


def device_code(program: Program) -> str:
    """Wait for the code that the person has to enter on another device."""
    return program.expect(r"enter the code:\n\n(\S+)\n")[1]


def press(page: Page, button: str, heading: str = "You are signed in") -> None:
    """Press a button, and wait for the page with a heading."""
    page.get_by_role("button", name=button).click()
    page.get_by_role("heading", name=heading).wait_for()
