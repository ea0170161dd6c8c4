"""Failure: says in one sentence why the work of the page has ended, whatever was raised."""

from __future__ import annotations

import logging

from tap_dynamics365.errors import Dynamics365Error
from tap_dynamics365.redaction import printable

logger = logging.getLogger("tap-dynamics365.configure")


def sentence(error: Exception) -> str:
    """Return what the page says of an exception.

    The text of an unexpected exception may have a secret. Only the log at level DEBUG has it, with
    the traceback.

    Args:
        error: The exception.
    """
    if isinstance(error, Dynamics365Error):
        return error.message
    words = f"Unexpected {type(error).__name__}."
    logger.error("%s Report it with the log at level DEBUG.", words)
    logger.debug("%s", printable(str(error)), exc_info=error)
    return f"{words} The terminal has more."
