"""How many requests may be in flight."""

from __future__ import annotations

# Where the service gives no hint: what Dataverse's own says in practice.
START = 4
# Answers that take so many times as long as the quickest are not fast any more.
SLOW = 3.0


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
        self._quickest = float("inf")

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    def answered(self, seconds: float, hint: str | None) -> None:
        """Learn from an answer.

        Args:
            seconds: How long the service took.
            hint: Its header `x-ms-dop-hint`, if it sent one.
        """
        if not self._hinted and hint is not None and hint.isascii() and hint.isdigit():
            self._hinted = True
            self._limit = float(min(max(int(hint), 1), self.maximum))
        self._quickest = min(self._quickest, seconds)
        if seconds <= SLOW * max(self._quickest, 0.05):
            # One request more after as many answers as there are requests in flight.
            self._limit = min(self._limit + 1 / self._limit, self.maximum)

    def refused(self) -> None:
        """Learn from a 429."""
        self._limit = max(1.0, self._limit / 2)
