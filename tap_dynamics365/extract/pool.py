"""Threads that fetch answers and decode them, while the main thread writes."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds after which a thread that decodes lets others have their turn: answers are read, and
# further ones asked for, in many small steps, each of which would wait so long.
SWITCH_INTERVAL = 0.001
# Parameters of glibc's mallopt (malloc.h), and what they are set to. One heap is enough where one
# thread at a time computes: of one for each, every one would keep the room of some pages. And the
# room of a page is kept for the next, rather than given back and asked for again: that took a fifth
# of the processor time.
M_ARENA_MAX, ONE = -8, 1
M_MMAP_THRESHOLD, LARGEST_BODY = -3, 32 * 2**20
M_TRIM_THRESHOLD, KEPT = -1, 32 * 2**20

T = TypeVar("T")


class Pool:
    """Threads that fetch answers, and one that decodes them.

    One is enough: the interpreter lets no two decode at the same time. All are daemons, unlike
    those of `concurrent.futures`: a process that is told to end does not wait for answers that
    are on their way.

    Attributes:
        in_flight: Answers that were not handed over.
        pending: The same, and what is being decoded.
    """

    def __init__(self) -> None:
        _prepare_process()
        self._to_fetch: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._to_decode: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._results: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._fetchers = 0
        self.in_flight = 0
        self.pending = 0
        self._start("decode", self._to_decode)

    def fetch(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        """Have an answer fetched, beside all others.

        Args:
            work: Fetches it.
            then: Is handed it, or the error that was raised.
        """
        self.in_flight += 1
        self.pending += 1
        if self._fetchers < self.in_flight:
            self._fetchers += 1
            self._start("fetch", self._to_fetch)

        def arrived(answer: T | Exception) -> None:
            self.in_flight -= 1
            then(answer)

        self._to_fetch.put(partial(self._do, work, arrived))

    def decode(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        """Have an answer decoded, behind those before it.

        Args:
            work: Decodes it.
            then: Is handed what came of it, or the error that was raised.
        """
        self.pending += 1
        self._to_decode.put(partial(self._do, work, then))

    @property
    def has_results(self) -> bool:
        """Whether there is something to hand over, without waiting for it."""
        return not self._results.empty()

    def hand_over(self, timeout: float | None = None) -> None:
        """Wait for a result, and hand it to what it is for, in this thread.

        Args:
            timeout: Seconds after which to wait no longer.
        """
        try:
            deliver = self._results.get(timeout=timeout)
        except Empty:
            return
        self.pending -= 1
        deliver()

    def _start(self, name: str, jobs: SimpleQueue[Callable[[], None]]) -> None:
        def serve() -> None:
            while True:
                # No name for the job: it would hold a page while this waits for the next.
                jobs.get()()

        Thread(target=serve, name=name, daemon=True).start()

    def _do(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        try:
            result: T | Exception = work()
        except Exception as error:  # noqa: BLE001 - the main thread looks at it
            result = error
        except BaseException as error:  # noqa: BLE001 - nobody would hear of it, but wait for ever
            result = RuntimeError(repr(error))
            result.__cause__ = error
        self._results.put(partial(then, result))


def _prepare_process() -> None:
    """Set interpreter and memory up for threads of which one at a time can compute."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    # Other C libraries have other parameters, or no mallopt.
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, ONE)
        mallopt(M_MMAP_THRESHOLD, LARGEST_BODY)
        mallopt(M_TRIM_THRESHOLD, KEPT)
