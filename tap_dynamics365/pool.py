"""Threads that fetch answers and decode them, while the main thread writes."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

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
Tag = TypeVar("Tag")


class Pool(Generic[Tag, T]):
    """Threads that fetch answers, decode them, and hand back what came of it.

    They are daemons, unlike those of `concurrent.futures`: a process that is told to end does
    not wait for answers that are on their way.

    Attributes:
        in_flight: Jobs whose answer has not arrived.
        pending: Jobs whose result was not handed back.
    """

    def __init__(self) -> None:
        _prepare_process()
        self._threads = 0
        self._jobs: SimpleQueue[tuple[Tag, Callable[[], T], Callable[[T], object]]] = SimpleQueue()
        self._events: SimpleQueue[tuple[Tag, object] | None] = SimpleQueue()
        # The interpreter lets one thread decode at a time anyway; those that wait for their turn
        # here hold less memory, and leave the interpreter to those that fetch.
        self._decoding = Lock()
        self.in_flight = 0
        self.pending = 0

    def submit(self, tag: Tag, fetch: Callable[[], T], decode: Callable[[T], object]) -> None:
        """Have a job done.

        Args:
            tag: Given back with the result.
            fetch: Gets an answer.
            decode: Makes the result of it.
        """
        self.in_flight += 1
        self.pending += 1
        if self._threads < self.pending:
            self._threads += 1
            Thread(target=self._work, name="fetch", daemon=True).start()
        self._jobs.put((tag, fetch, decode))

    def wait(self) -> tuple[Tag, object] | None:
        """Wait for an answer to arrive or a job to be done, whichever is first.

        Returns:
            The tag of a job and its result, or the exception that it raised; None if an answer
            has arrived that is still to be decoded.
        """
        event = self._events.get()
        if event is None:
            self.in_flight -= 1
        else:
            self.pending -= 1
        return event

    def _work(self) -> None:
        while True:
            tag, fetch, decode = self._jobs.get()
            try:
                try:
                    answer = fetch()
                finally:
                    self._events.put(None)
                with self._decoding:
                    result = decode(answer)
                del answer
            except Exception as error:  # noqa: BLE001 - the main thread looks at it
                result = error
            self._events.put((tag, result))
            del result


def _prepare_process() -> None:
    """Set interpreter and memory up for threads of which one at a time can compute."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    # Other C libraries have other parameters, or no mallopt.
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, ONE)
        mallopt(M_MMAP_THRESHOLD, LARGEST_BODY)
        mallopt(M_TRIM_THRESHOLD, KEPT)
