"""Threads that fetch and decode: what counts as in flight, and who may decode."""

from __future__ import annotations

from threading import Event, Lock

from tap_dynamics365.pool import Pool

SECONDS = 30


def test_an_answer_that_has_arrived_is_not_in_flight_though_it_is_not_decoded() -> None:
    pool: Pool[str, int] = Pool()
    may_decode = Event()

    def decode(answer: int) -> int:
        assert may_decode.wait(SECONDS)
        return answer + 1

    pool.submit("one", lambda: 1, decode)
    assert (pool.in_flight, pool.pending) == (1, 1)
    assert pool.wait() is None
    assert (pool.in_flight, pool.pending) == (0, 1)
    may_decode.set()
    assert pool.wait() == ("one", 2)
    assert (pool.in_flight, pool.pending) == (0, 0)


def test_one_answer_at_a_time_is_decoded() -> None:
    pool: Pool[int, int] = Pool()
    decoding, together = Lock(), []

    def decode(answer: int) -> int:
        alone = decoding.acquire(blocking=False)
        together.append(not alone)
        for _ in range(10_000):
            pass
        decoding.release()
        return answer

    for number in range(20):
        pool.submit(number, lambda: 0, decode)
    events = [pool.wait() for _ in range(40)]
    assert sorted(event[0] for event in events if event is not None) == list(range(20))
    assert not any(together)


def test_fetching_goes_on_side_by_side() -> None:
    pool: Pool[int, None] = Pool()
    begun = [Event(), Event()]

    def fetch(own: int) -> None:
        begun[own].set()
        # Each waits until the other has begun.
        assert begun[1 - own].wait(SECONDS)

    pool.submit(0, lambda: fetch(0), lambda _: "done")
    pool.submit(1, lambda: fetch(1), lambda _: "done")
    done = [event for event in (pool.wait() for _ in range(4)) if event is not None]
    assert sorted(done) == [(0, "done"), (1, "done")]


def test_a_failure_comes_back_with_its_job_wherever_it_happens() -> None:
    pool: Pool[str, int] = Pool()

    def fail(answer: int = 0) -> int:
        message = f"no luck with {answer}"
        raise ValueError(message)

    pool.submit("fetch", fail, lambda answer: answer)
    pool.submit("decode", lambda: 7, fail)
    events = dict(event for event in (pool.wait() for _ in range(4)) if event is not None)
    assert {tag: str(error) for tag, error in events.items()} == {
        "fetch": "no luck with 0",
        "decode": "no luck with 7",
    }
