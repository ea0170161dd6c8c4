"""A bar at the foot of a terminal, and the log above it."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Columns of a terminal that does not tell.
USUAL_WIDTH = 80


@contextmanager
def at(terminal: TextIO) -> Iterator[Bar]:
    """Put a bar at the foot of a terminal, below what is logged to it meanwhile.

    Args:
        terminal: Where standard error goes.
    """
    bar = Bar(terminal)
    handlers = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is terminal
    ]
    for handler in handlers:
        handler.setStream(cast("TextIO", bar))
    try:
        yield bar
    finally:
        for handler in handlers:
            handler.setStream(terminal)
        bar.erase()


class Bar:
    """A line that is drawn anew in its place. It is a stream too: what is written stands above it.

    It is drawn without any of the codes that terminals disagree about.

    Args:
        terminal: Where it stands.
    """

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        # A signal may have something logged by the thread that is just drawing.
        self._lock = RLock()
        self._line = ""

    @property
    def width(self) -> int:
        """Columns that the terminal has."""
        try:
            return os.get_terminal_size(self._terminal.fileno()).columns or USUAL_WIDTH
        except (OSError, ValueError):
            return USUAL_WIDTH

    def draw(self, line: str) -> None:
        """Draw it.

        Args:
            line: What it shows.
        """
        with self._lock:
            self._put(f"\r{line:<{len(self._line)}}")
            self._line = line

    def erase(self) -> None:
        """Take it away."""
        with self._lock:
            self._put(self._blank())
            self._line = ""

    def write(self, text: str) -> None:
        """Write above it.

        Args:
            text: Whole lines.
        """
        with self._lock:
            self._put(f"{self._blank()}{text}{self._line}")

    def flush(self) -> None:
        """Do nothing: all is there already."""

    def _blank(self) -> str:
        return f"\r{' ' * len(self._line)}\r" if self._line else ""

    def _put(self, text: str) -> None:
        # A terminal that has gone away is no reason to end.
        with suppress(OSError):
            self._terminal.write(text)
            self._terminal.flush()
