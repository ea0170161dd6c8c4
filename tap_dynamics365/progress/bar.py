"""Progress bar: drawn by tqdm at the bottom of a terminal, below the log."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING, TextIO, cast

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterator

# The width of a terminal that does not report its width.
DEFAULT_WIDTH = 80
WITH_BAR, WITHOUT_BAR = "[{bar:20}] {desc}", "{desc}"


@contextmanager
def below_log(terminal: TextIO) -> Iterator[Bar]:
    """Show a progress bar on a terminal, and the log above it, while the block runs.

    Args:
        terminal: Standard error, if it is a terminal.
    """
    bar = Bar(_Terminal(terminal))
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
        bar.close()


class Bar:
    """A progress bar. It is also a stream: what is written to it appears above the bar.

    Args:
        terminal: Where the bar is drawn.
    """

    def __init__(self, terminal: _Terminal) -> None:
        self._terminal = terminal
        # A signal handler may log in the thread that draws. tqdm's own lock is for processes.
        tqdm.set_lock(RLock())
        self._bar: tqdm | None = None

    def draw(self, part: float | None, text: str) -> None:
        """Draw the bar.

        Args:
            part: The part that is done, from 0 to 1; None if it is not known.
            text: The text after the bar.
        """
        if self._bar is None:
            self._bar = tqdm(
                total=1, file=self._terminal, bar_format=WITHOUT_BAR, ascii=".#", leave=False
            )
        self._bar.bar_format = WITHOUT_BAR if part is None else WITH_BAR
        self._bar.n = part or 0
        self._bar.ncols = self._terminal.width
        self._bar.set_description_str(text)

    def write(self, text: str) -> None:
        """Write above the bar.

        Args:
            text: Whole lines.
        """
        tqdm.write(text, file=self._terminal, end="")

    def flush(self) -> None:
        """Flush the terminal."""
        self._terminal.flush()

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()


class _Terminal:
    """A terminal that may have been closed. Writing to it never fails."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal

    @property
    def width(self) -> int:
        """The columns of the terminal but the last, where some terminals begin a new line."""
        try:
            columns = os.get_terminal_size(self._terminal.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        return max(1, (columns or DEFAULT_WIDTH) - 1)

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._terminal.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._terminal.flush()
