"""How many requests may be in flight."""

from __future__ import annotations

# Where the service gives no hint: what Dataverse's own says in practice.
START = 4
# An answer that takes so many times as long as usual is not fast any more.
SLOW = 2.0
# How much the last answer counts in what is usual: tables differ, and the service has its days.
WEIGHT = 0.2


class Parallelism:
    """Grows while answers stay fast, shrinks when the service refuses.

    The start is the service's own `x-ms-dop-hint`:
    https://learn.microsoft.com/power-apps/developer/data-platform/send-parallel-requests

    Args:
        maximum: Never more than so many; kept as an attribute.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self._limit = float(min(START, maximum))
        self._hinted = False
        self._usual = 0.0

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    def answered(self, seconds: float, hint: str | None) -> None:
        """Learn from an answer with rows.

        Args:
            seconds: How long the service took.
            hint: Its header `x-ms-dop-hint`, if it sent one.
        """
        if not self._hinted and hint is not None and hint.isascii() and hint.isdigit():
            self._hinted = True
            self._limit = float(min(max(int(hint), 1), self.maximum))
        if not self._usual or seconds <= SLOW * self._usual:
            # One request more after as many answers as there are requests in flight.
            self._limit = min(self._limit + 1 / self._limit, self.maximum)
        self._usual += (WEIGHT if self._usual else 1) * (seconds - self._usual)

    def refused(self) -> None:
        """Learn from a 429."""
        self._limit = max(1.0, self._limit / 2)
