"""Thread pool: threads that fetch answers, and one that decodes them."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_dynamics365.http.concurrency import ConcurrencyLimit

K = TypeVar("K")
T = TypeVar("T")


class Pool:
    """Threads that fetch answers, and one that decodes them.

    One decoding thread is enough, because the interpreter runs only one at a time. All threads are
    daemons, unlike those of `concurrent.futures`: a process that receives a signal does not wait
    for answers.

    Attributes:
        in_flight: Answers that were not handed over.
        pending: Answers that were not handed over, and jobs that are being decoded.
    """

    def __init__(self) -> None:
        self._to_fetch: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._to_decode: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._results: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._fetchers = 0
        self.in_flight = 0
        self.pending = 0
        self._start("decode", self._to_decode)

    def fetch(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        """Fetch an answer in a thread of its own.

        Args:
            work: Fetches it.
            then: Is called with the answer, or the error that was raised.
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
        """Decode an answer, after those submitted before.

        Args:
            work: Decodes it.
            then: Is called with the result, or the error that was raised.
        """
        self.pending += 1
        self._to_decode.put(partial(self._do, work, then))

    @property
    def has_results(self) -> bool:
        """Whether `hand_over` returns without waiting."""
        return not self._results.empty()

    def hand_over(self, timeout: float | None = None) -> None:
        """Wait for a result, and call its `then` in this thread.

        Args:
            timeout: Seconds after which to stop waiting.
        """
        try:
            deliver = self._results.get(timeout=timeout)
        except Empty:
            return
        self.pending -= 1
        deliver()

    def close(self) -> None:
        """End the threads, without waiting for requests in flight. Other work is dropped."""
        for jobs, threads in ((self._to_fetch, self._fetchers), (self._to_decode, 1)):
            with suppress(Empty):
                while True:
                    jobs.get_nowait()
            for _ in range(threads):
                jobs.put(None)

    def _start(self, name: str, jobs: SimpleQueue[Callable[[], None] | None]) -> None:
        def serve() -> None:
            while (job := jobs.get()) is not None:
                job()
                # It would keep a page in memory until the next job.
                del job

        Thread(target=serve, name=name, daemon=True).start()

    def _do(self, work: Callable[[], T], then: Callable[[T | Exception], None]) -> None:
        try:
            result: T | Exception = work()
        except Exception as error:  # noqa: BLE001 - the main thread looks at it
            result = error
        except BaseException as error:  # noqa: BLE001 - the main thread would wait for it
            result = RuntimeError(repr(error))
            result.__cause__ = error
        self._results.put(partial(then, result))


def fetch_each(
    keys: Iterable[K],
    fetch: Callable[[K], T],
    then: Callable[[K, T | Exception], None],
    concurrency: ConcurrencyLimit,
) -> None:
    """Fetch an answer for each of several keys, with as many requests in flight as in a run.

    Args:
        keys: The keys.
        fetch: Fetches the answer for a key, in a thread.
        then: Is called in this thread with a key and its answer, or the error that was raised.
        concurrency: The limit of requests in flight.
    """
    pool, waiting = Pool(), deque(keys)
    try:
        while waiting or pool.pending:
            while waiting and pool.in_flight < concurrency.limit:
                key = waiting.popleft()
                pool.fetch(partial(fetch, key), partial(then, key))
            pool.hand_over()
    finally:
        pool.close()
