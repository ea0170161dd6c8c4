"""Concurrency limit: how many requests may be in flight, adapted to the service's responses."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# A response that takes this many times the usual time is slow.
SLOW = 2.0
# The weight of the last response in the usual time: tables differ, and the service's speed changes.
WEIGHT = 0.2


class ConcurrencyLimit:
    """Grows while responses stay fast, and shrinks when the service throttles.

    The start is the number that the service recommends, where it does.

    Args:
        maximum: The largest limit; kept as an attribute.
        start: The limit before the service has recommended a number.
    """

    def __init__(self, maximum: int, start: int) -> None:
        self.maximum = maximum
        # Several threads receive responses: an update must not overwrite another thread's.
        self._changed = Condition()
        self._limit = float(min(start, maximum))
        self._in_flight = 0
        self._hinted = False
        self._throttled = False
        self._usual = 0.0

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return int(self._limit)

    @contextmanager
    def request(self) -> Iterator[None]:
        """Wait until one more request may be in flight, and count it while the block runs.

        Requests outside the engine use the same limit. A request inside another request's block
        deadlocks where the limit is 1.
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
        """Learn from a response with rows.

        Args:
            seconds: How long the service took.
            hint: The number of parallel requests that the service recommends, if it sent one.
        """
        with self._changed:
            if not self._hinted and hint is not None and hint.isascii() and hint.isdigit():
                self._hinted = True
                self._limit = float(min(max(int(hint), 1), self.maximum))
            elif not self._usual or seconds <= SLOW * self._usual:
                # The limit doubles with each round of responses until the service throttles. From
                # then on it grows by one with each round, because it is near what the service
                # takes.
                more = 1 / self._limit if self._throttled else 1
                self._limit = min(self._limit + more, self.maximum)
            self._usual += (WEIGHT if self._usual else 1) * (seconds - self._usual)
            self._changed.notify_all()

    def throttled(self) -> None:
        """Halve the limit because of a 429."""
        with self._changed:
            self._throttled = True
            self._limit = max(1.0, self._limit / 2)
