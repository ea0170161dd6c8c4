"""How many requests may be in flight."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        # Several threads get answers: what one learns must not be overwritten by another.
        self._changed = Condition()
        self._limit = float(min(START, maximum))
        self._in_flight = 0
        self._hinted = False
        self._refused = False
        self._usual = 0.0

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    @contextmanager
    def request(self) -> Iterator[None]:
        """Wait until one more request may be in flight; it is while the block runs.

        Whoever makes requests beside the engine makes them within the same limit. A request made
        within another one's block would wait for ever where one alone is allowed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._in_flight < self.limit)
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify()

    def answered(self, seconds: float, hint: str | None) -> None:
        """Learn from an answer with rows.

        Args:
            seconds: How long the service took.
            hint: Its header `x-ms-dop-hint`, if it sent one.
        """
        with self._changed:
            if not self._hinted and hint is not None and hint.isascii() and hint.isdigit():
                self._hinted = True
                self._limit = float(min(max(int(hint), 1), self.maximum))
            elif not self._usual or seconds <= SLOW * self._usual:
                # Doubled by as many answers as there are requests in flight, until the service
                # refuses one; from then on one more by as many: it is near what it bears.
                more = 1 / self._limit if self._refused else 1
                self._limit = min(self._limit + more, self.maximum)
            self._usual += (WEIGHT if self._usual else 1) * (seconds - self._usual)
            self._changed.notify_all()

    def refused(self) -> None:
        """Learn from a 429."""
        with self._changed:
            self._refused = True
            self._limit = max(1.0, self._limit / 2)
