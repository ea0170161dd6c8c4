"""The terminal that the command was started in, if it was started in one."""

from __future__ import annotations

import getpass
import os
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIECE = 65536


def is_there() -> bool:
    """Tell whether a person can be asked."""
    return sys.stdin.isatty()


def say(*lines: str) -> None:
    """Tell the person something; standard output is for what was asked to be printed.

    Args:
        lines: The lines.
    """
    with _screen() as screen:
        for line in lines:
            click.echo(line, file=screen)


def ask(question: str, default: str | None = None, *, hidden: bool = False) -> str:
    """Ask the person something until there is an answer.

    Args:
        question: The question.
        default: What just Enter stands for.
        hidden: Whether what is typed is not shown.

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
            answer = sys.stdin.readline()
            if not answer:
                raise click.Abort
        if answer.strip() or default is not None:
            return answer.strip() or default or ""


def _hidden(prompt: str) -> str:
    """Read a line that is not shown."""
    try:
        with _screen() as screen:
            return getpass.getpass(prompt, screen)
    except EOFError:
        raise click.Abort from None


def _screen() -> AbstractContextManager[TextIO]:
    """Find what the person sees: the terminal, also where standard error goes into a log.

    Meltano writes into its own log what a plugin says, and that only line by line.
    """
    if is_there() and not sys.stderr.isatty():
        name = "CONOUT$" if sys.platform == "win32" else os.ttyname(sys.stdin.fileno())
        with suppress(OSError):
            return Path(name).open("w", encoding="utf-8")
    return nullcontext(sys.stderr)


@contextmanager
def pasting(take: Callable[[str], None]) -> Iterator[None]:
    """Take lines from the terminal, without showing them, while the block runs.

    A terminal that edits lines takes no more than 1,024 (macOS) or 4,096 characters (Linux) for
    one, and the address that a sign-in ends on may be longer: it is read character by character.

    Args:
        take: Gets each line, in a thread of its own.
    """
    descriptor = sys.stdin.fileno()
    with _unedited(descriptor):
        # A thread that waits in sys.stdin itself would be in the way when the interpreter ends.
        Thread(target=_read, args=(descriptor, take), daemon=True).start()
        yield


def _read(descriptor: int, take: Callable[[str], None]) -> None:
    """Hand on line by line until the terminal is gone."""
    rest = b""
    with suppress(OSError):
        while piece := os.read(descriptor, PIECE):
            *lines, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
            for line in lines:
                if text := line.decode(errors="replace").strip():
                    take(text)


@contextmanager
def _unedited(descriptor: int) -> Iterator[None]:
    """Have the terminal hand on each character as it comes, and show none."""
    try:
        import termios  # noqa: PLC0415 - Windows has neither
        import tty  # noqa: PLC0415
    except ImportError:
        yield
        return
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield
    finally:
        # What was pasted too much is dropped: the shell would take it for a command.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
