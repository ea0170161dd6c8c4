"""One wait for all: what the service says to one request of a user, it says to the user."""

from __future__ import annotations

import time
from threading import Lock

from tap_dynamics365.errors import ServiceError


class Throttle:
    """Holds every request back while the service wants none.

    Its limits are the user's, so that a refused request speaks for all of them:
    https://learn.microsoft.com/power-apps/developer/data-platform/api-limits

    Args:
        patience: Seconds that one request may be held back in sum; kept as an attribute.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._lock = Lock()
        self._resume_at = 0.0
        self._ordered = 0.0

    @property
    def waited(self) -> float:
        """Seconds during which requests were held back so far."""
        with self._lock:
            return self._ordered - max(0.0, self._resume_at - time.monotonic())

    def hold_back(self, seconds: float) -> bool:
        """Let no request be sent for a while.

        Args:
            seconds: How long, from now on.

        Returns:
            Whether requests were free to go until now: of those that were refused together, the
            first alone brings news.
        """
        with self._lock:
            now = time.monotonic()
            was_free = self._resume_at <= now
            until = max(self._resume_at, now + seconds)
            self._ordered += until - max(self._resume_at, now)
            self._resume_at = until
            return was_free

    def wait(self, waited: float = 0.0) -> float:
        """Wait until a request may be sent.

        Args:
            waited: Seconds that it was held back before.

        Returns:
            Seconds that it was held back in sum.

        Raises:
            ServiceError: That would be longer than is allowed.
        """
        while (wait := self._resume_at - time.monotonic()) > 0:
            waited = self.allow(waited, wait, "The service is throttling.")
            time.sleep(wait)
        return waited

    def allow(self, waited: float, wait: float, why: str) -> float:
        """Raise if a request would be held back for longer than is allowed.

        Args:
            waited: Seconds that it was held back before.
            wait: How many more it is to wait.
            why: What it waits for, in a sentence.

        Returns:
            The sum.

        Raises:
            ServiceError: It is longer than the patience.
        """
        if waited + wait > self.patience:
            msg = (
                f"{why} To wait for another {wait:.0f} s, after {waited:.0f} s before, is more "
                f"than ws_retry_wait_limit ({self.patience:.0f} s) allows: run again later, send "
                "less at once (max_parallel_requests), or set a longer limit."
            )
            raise ServiceError(msg)
        return waited + wait
