"""Throttle: one pause for all requests of a user, because service limits are per user."""

from __future__ import annotations

import time
from threading import Lock

from tap_dynamics365.errors import ServiceError


class Throttle:
    """Pauses every request while the service asks for it.

    The service protection limits are per user, so a 429 to one request pauses all of them:
    https://learn.microsoft.com/power-apps/developer/data-platform/api-limits

    Args:
        max_total_wait: Seconds that one request may be paused in total; kept as an attribute.
    """

    def __init__(self, max_total_wait: float) -> None:
        self.max_total_wait = max_total_wait
        self._lock = Lock()
        self._resume_at = 0.0
        self._ordered = 0.0

    @property
    def waited(self) -> float:
        """Seconds during which requests were paused so far."""
        with self._lock:
            return self._ordered - max(0.0, self._resume_at - time.monotonic())

    def pause_all(self, seconds: float) -> bool:
        """Pause all requests.

        Args:
            seconds: How long, from now on.

        Returns:
            Whether requests were free to go until now. Of the requests that were throttled
            together, only the first one starts a pause.
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
            waited: Seconds that the request was paused before.

        Returns:
            Seconds that the request was paused in total.

        Raises:
            ServiceError: The total is more than one request may wait.
        """
        while (wait := self._resume_at - time.monotonic()) > 0:
            waited = self.allow(waited, wait, "The service is throttling.")
            time.sleep(wait)
        return waited

    def allow(self, waited: float, wait: float, why: str) -> float:
        """Add a wait to those of a request, or raise if the total is too long.

        Args:
            waited: Seconds that the request was paused before.
            wait: How many more seconds the request is to wait.
            why: The reason, in one sentence.

        Returns:
            The total in seconds.

        Raises:
            ServiceError: The total is more than one request may wait.
        """
        if waited + wait > self.max_total_wait:
            msg = (
                f"{why} To wait for another {wait:.0f} s, after {waited:.0f} s before, is more "
                f"than ws_retry_wait_limit ({self.max_total_wait:.0f} s) allows: run again later, "
                "send less at once (max_parallel_requests), or set a longer limit."
            )
            raise ServiceError(msg)
        return waited + wait
