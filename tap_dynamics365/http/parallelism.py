"""How many requests may be in flight."""

from __future__ import annotations

# Before the service has said what it recommends: far below the 52 requests at once that Dataverse
# refuses a user.
START = 8
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
        self._refused = False
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
        elif not self._usual or seconds <= SLOW * self._usual:
            # Doubled by as many answers as there are requests in flight, until the service
            # refuses one; from then on one more by as many: it is near what it bears.
            more = 1 / self._limit if self._refused else 1
            self._limit = min(self._limit + more, self.maximum)
        self._usual += (WEIGHT if self._usual else 1) * (seconds - self._usual)

    def refused(self) -> None:
        """Learn from a 429."""
        self._refused = True
        self._limit = max(1.0, self._limit / 2)
