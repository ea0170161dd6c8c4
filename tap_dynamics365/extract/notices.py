"""Notices: warnings about a table that are logged only once."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging


class Notices:
    """Logs each warning about one table once in a run. Thread-safe.

    Args:
        logger: The logger.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._said: set[tuple[object, ...]] = set()
        self._lock = Lock()

    def warn(self, message: str, *arguments: object) -> None:
        """Log a warning, unless it was logged before.

        Args:
            message: The format of the message, as for the logger.
            *arguments: The arguments of the format.
        """
        with self._lock:
            if (message, *arguments) in self._said:
                return
            self._said.add((message, *arguments))
        self._logger.warning(message, *arguments)
