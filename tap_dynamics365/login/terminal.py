"""Terminal: messages to the person who signs in, questions, and pasted lines."""

from __future__ import annotations

import getpass
import os
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READ_SIZE = 65536
# On Windows, Ctrl-C does not interrupt a wait, so that waits have to be short.
WAIT_SECONDS = 0.5

# What is typed, from the first block of `reading_lines` on.
_typed: _Typed | None = None


def is_interactive() -> bool:
    """Tell whether a person at a terminal can answer questions."""
    return sys.stdin.isatty()


def say(*lines: str) -> None:
    """Show lines to the person. Standard output is reserved for `--print`.

    Args:
        lines: The lines.
    """
    with _screen() as screen:
        for line in lines:
            click.echo(line, file=screen)


def ask(question: str, default: str | None = None, *, hidden: bool = False) -> str:
    """Ask the person until there is an answer.

    Args:
        question: The question.
        default: The answer if the person only presses Enter; None if there is no default.
        hidden: Whether the terminal does not show the answer.

    Returns:
        The answer.

    Raises:
        click.Abort: The person ended the input.
    """
    prompt = f"{question} [{default}]: " if default else f"{question}: "
    while True:
        if hidden:
            answer = _hidden(prompt)
        else:
            with _screen() as screen:
                click.echo(prompt, nl=False, file=screen)
            answer = _typed.next() if _typed else sys.stdin.readline()
            if not answer:
                raise click.Abort
        if answer.strip() or default is not None:
            return answer.strip() or default or ""


def _hidden(prompt: str) -> str:
    """Read a line without showing it."""
    try:
        with _screen() as screen:
            return getpass.getpass(prompt, screen)
    except EOFError:
        raise click.Abort from None


def _screen() -> AbstractContextManager[TextIO]:
    """Open the terminal, even if standard error is redirected.

    Meltano redirects the standard error of a plugin to its own log, and shows only whole lines.
    """
    if is_interactive() and not sys.stderr.isatty():
        name = "CONOUT$" if sys.platform == "win32" else os.ttyname(sys.stdin.fileno())
        with suppress(OSError):
            return Path(name).open("w", encoding="utf-8")
    return nullcontext(sys.stderr)


@contextmanager
def reading_lines(take: Callable[[str], None]) -> Iterator[None]:
    """Read lines from the terminal, without showing them, while the block runs.

    A terminal in line mode accepts at most 1,024 (macOS) or 4,096 characters (Linux) in a line.
    The address that a sign-in ends on may be longer, so that it is read character by character.

    Args:
        take: Is called with each line, in another thread.
    """
    global _typed  # noqa: PLW0603 - the thread outlives the block, see `_Typed`
    descriptor = sys.stdin.fileno()
    with _character_mode(descriptor):
        _typed = _Typed(descriptor, take)
        yield
        _typed.keep()


class _Typed:
    """Lines from the terminal, which a thread reads until the process ends.

    A thread that waits for a terminal can't be stopped. Once nothing takes its lines any more, it
    keeps them for `ask`.

    Args:
        descriptor: The file descriptor of the terminal.
        take: Is called with each line that is not empty.
    """

    def __init__(self, descriptor: int, take: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._take: Callable[[str], None] | None = take
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._rest = b""
        # Not from sys.stdin: a thread that waits in it would block the exit of the interpreter.
        Thread(target=self._read, daemon=True).start()

    def keep(self) -> None:
        """Keep all further lines."""
        self._take = None
        self._rest = b""

    def next(self) -> str:
        """Return the next line, with its end; empty if the terminal is closed."""
        while True:
            with suppress(Empty):
                return self._lines.get(timeout=WAIT_SECONDS)

    def _read(self) -> None:
        """Pass on or keep each line until the terminal is closed."""
        with suppress(OSError):
            while piece := os.read(self._descriptor, READ_SIZE):
                *lines, self._rest = (self._rest + piece).replace(b"\r", b"\n").split(b"\n")
                for line in lines:
                    self._pass_on(line.decode(errors="replace").strip())
        self._lines.put("")

    def _pass_on(self, line: str) -> None:
        if self._take is None:
            self._lines.put(f"{line}\n")
        elif line:
            self._take(line)


@contextmanager
def _character_mode(descriptor: int) -> Iterator[None]:
    """Make the terminal pass on each character at once, without showing it."""
    try:
        import termios  # noqa: PLC0415 - Windows lacks both modules
        import tty  # noqa: PLC0415
    except ImportError:
        yield
        return
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield
    finally:
        # The rest of the input is dropped, because the shell would run it as a command.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
