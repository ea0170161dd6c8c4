"""Thread pool: what runs in parallel, and how results come back."""

from __future__ import annotations

import threading
from threading import Event, current_thread

from tap_dynamics365.extract.pool import Pool

SECONDS = 30


def test_results_are_handed_over_in_the_calling_thread() -> None:
    pool = Pool()
    given: list[object] = []
    threads = set()

    def take(result: int | Exception) -> None:
        threads.add(current_thread())
        given.append(result)

    pool.fetch(lambda: 1, take)
    assert (pool.in_flight, pool.pending) == (1, 1)
    pool.hand_over()
    assert (pool.in_flight, pool.pending) == (0, 0)
    pool.decode(lambda: 2, take)
    assert (pool.in_flight, pool.pending) == (0, 1)
    pool.hand_over()
    assert (pool.in_flight, pool.pending) == (0, 0)
    assert given == [1, 2]
    assert threads == {current_thread()}
    assert not pool.has_results


def test_responses_are_decoded_one_after_the_other() -> None:
    pool = Pool()
    decoded: list[object] = []
    order: list[int] = []
    begun, may_end = Event(), Event()

    def first() -> int:
        begun.set()
        assert may_end.wait(SECONDS)
        order.append(0)
        return 0

    def further(number: int) -> int:
        order.append(number)
        return number

    pool.decode(first, decoded.append)
    for number in range(1, 20):
        pool.decode(lambda number=number: further(number), decoded.append)
    assert begun.wait(SECONDS)
    assert not order
    may_end.set()
    for _ in range(20):
        pool.hand_over()
    assert order == decoded == list(range(20))


def test_fetching_runs_in_parallel() -> None:
    pool = Pool()
    begun = [Event(), Event()]
    fetched: list[object] = []

    def fetch(own: int) -> int:
        begun[own].set()
        # Each waits until the other has begun.
        assert begun[1 - own].wait(SECONDS)
        return own

    pool.fetch(lambda: fetch(0), fetched.append)
    pool.fetch(lambda: fetch(1), fetched.append)
    pool.hand_over()
    pool.hand_over()
    assert set(fetched) == {0, 1}


def test_failure_is_handed_to_the_callback() -> None:
    pool = Pool()
    fetched: list[object] = []
    decoded: list[object] = []

    def fail(doing: str) -> int:
        message = f"no luck with {doing}"
        raise ValueError(message)

    pool.fetch(lambda: fail("fetching"), fetched.append)
    pool.decode(lambda: fail("decoding"), decoded.append)
    pool.hand_over()
    pool.hand_over()
    assert [str(error) for error in (*fetched, *decoded)] == [
        "no luck with fetching",
        "no luck with decoding",
    ]
    assert pool.pending == 0


def test_pool_that_is_closed_ends_its_threads_and_drops_waiting_work() -> None:
    before = set(threading.enumerate())
    pool, held, begun = Pool(), Event(), Event()
    done: list[str] = []

    def slow() -> None:
        begun.set()
        held.wait()

    pool.fetch(slow, lambda _: None)
    pool.decode(held.wait, lambda _: None)
    pool.decode(lambda: done.append("later"), lambda _: None)
    begun.wait()
    pool.close()
    held.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()
    assert not done
