"""Gate: how many requests of a user are worked on, wait, and are refused.

Microsoft Learn, "Operational limits for Business Central online": per user 5 requests at a time and
95 that wait, 6,000 requests in a sliding window of 5 minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING

from sandbox.business_central import errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PARALLEL, QUEUED = 5, 95
MOST, WINDOW = 6_000, 300
LONGEST_WAIT = 480


class Gate:
    """Limits of one user.

    Attributes:
        queued: Largest number of requests that wait.
        most: Largest number of requests in the window. 0 sets no limit.
        longest_wait: Seconds after which a waiting request is refused with 503.
        working: Number of requests that are worked on.
    """

    def __init__(self) -> None:
        self.queued = QUEUED
        self.most = MOST
        self.longest_wait: float = LONGEST_WAIT
        self.working = 0
        self._parallel = PARALLEL
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._recent: deque[float] = deque()

    @property
    def parallel(self) -> int:
        """Largest number of requests that are worked on at a time; with 0, all requests wait."""
        return self._parallel

    @parallel.setter
    def parallel(self, number: int) -> None:
        """Largest number of requests that are worked on at a time; with 0, all requests wait."""
        self._parallel = number
        self._admit()

    @property
    def waiting(self) -> int:
        """Number of requests that wait."""
        return len(self._waiting)

    @contextlib.asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Wait for the turn of a request, and give it to the next one at the end.

        Raises:
            ServiceError: There are too many requests, or the request waited too long.
        """
        self._count()
        if self.working >= self._parallel:
            await self._wait()
        else:
            self.working += 1
        try:
            yield
        finally:
            self.working -= 1
            self._admit()

    def _count(self) -> None:
        """Count the request in the window, and refuse it if there are too many."""
        now = time.monotonic()
        while self._recent and self._recent[0] < now - WINDOW:
            self._recent.popleft()
        if self.most and len(self._recent) >= self.most:
            raise errors.too_many(len(self._recent) + 1, self.most)
        self._recent.append(now)

    async def _wait(self) -> None:
        if len(self._waiting) >= self.queued:
            most = self._parallel + self.queued
            raise errors.too_many(most + 1, most)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await asyncio.wait_for(turn, self.longest_wait)
        except TimeoutError:
            self._waiting.remove(turn)
            message = "30"
            raise errors.waited_too_long(message) from None

    def _admit(self) -> None:
        """Let requests in that wait."""
        while self._waiting and self.working < self._parallel:
            turn = self._waiting.popleft()
            if not turn.done():
                self.working += 1
                turn.set_result(None)
