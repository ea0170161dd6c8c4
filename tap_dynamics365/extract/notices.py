"""What is said of a table once, however many of its pages give reason to."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging


class Notices:
    """Log lines of one table, each of which is written once in a run. Any thread may call it.

    Args:
        logger: Where they go.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._said: set[tuple[object, ...]] = set()
        self._lock = Lock()

    def warn(self, message: str, *arguments: object) -> None:
        """Write a warning, unless it was written before.

        Args:
            message: The message, as the logger takes it.
            *arguments: Its arguments.
        """
        with self._lock:
            if (message, *arguments) in self._said:
                return
            self._said.add((message, *arguments))
        self._logger.warning(message, *arguments)
