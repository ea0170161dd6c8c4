"""How many requests may be in flight, as answers come in."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests
from typing_extensions import override

from tap_dynamics365.connection import connect
from tap_dynamics365.http.budgets import Budgets
from tap_dynamics365.http.concurrency import ConcurrencyLimit
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers.scripted import answer, serving

if TYPE_CHECKING:
    from collections.abc import Callable

FAST, SLOW = 0.2, 2.0
SECONDS = 30


def answered(maximum: int, answers: list[float], hint: str | None = None) -> ConcurrencyLimit:
    """Let answers come in that took so many seconds."""
    concurrency = ConcurrencyLimit(maximum, 8)
    for seconds in answers:
        concurrency.answered(seconds, hint)
    return concurrency


def test_it_starts_at_what_the_service_recommends() -> None:
    concurrency = ConcurrencyLimit(20, 8)
    assert concurrency.limit == 8
    concurrency.answered(FAST, "2")
    assert concurrency.limit == 2


@pytest.mark.parametrize("hint", [None, "", "many", "-3", "²"])
def test_without_a_useful_hint_it_starts_all_the_same(hint: str | None) -> None:
    assert answered(20, [FAST], hint).limit == 9


def test_a_hint_counts_once_and_never_beyond_the_maximum() -> None:
    assert answered(8, [FAST] * 100, "2").limit == 8
    assert answered(8, [FAST], "52").limit == 8


def test_it_grows_while_answers_stay_fast() -> None:
    limits = [answered(8, [FAST] * count, "4").limit for count in range(1, 60)]
    assert limits == sorted(limits)
    assert limits[-1] == 8


def test_it_stays_while_answers_are_slower_than_usual() -> None:
    assert answered(8, [FAST] * 2 + [SLOW] * 3, "4").limit == 5


def test_it_doubles_by_as_many_answers_as_are_in_flight_until_it_is_refused() -> None:
    concurrency = answered(40, [FAST], "4")
    for _ in range(4):
        concurrency.answered(FAST, None)
    assert concurrency.limit == 8
    concurrency.throttled()
    for _ in range(4):
        concurrency.answered(FAST, None)
    assert concurrency.limit == 4
    for _ in range(2):
        concurrency.answered(FAST, None)
    assert concurrency.limit == 5


def test_it_grows_where_slow_is_usual() -> None:
    assert answered(8, [FAST] + [SLOW] * 100, "4").limit == 8


def test_it_halves_at_a_refusal_and_grows_again() -> None:
    concurrency = answered(8, [FAST] * 60)
    concurrency.throttled()
    assert concurrency.limit == 4
    for _ in range(60):
        concurrency.answered(FAST, None)
    assert concurrency.limit == 8


def test_one_request_is_always_allowed() -> None:
    concurrency = ConcurrencyLimit(8, 8)
    for _ in range(10):
        concurrency.throttled()
    assert concurrency.limit == 1


def test_one_at_a_time_stays_one_at_a_time() -> None:
    assert answered(1, [FAST] * 60, "52").limit == 1


class Watched(int):
    """A maximum that tells when it is compared with a limit which is about to change."""

    meanwhile: Callable[[], None] | None = None

    @override
    def __lt__(self, value: int, /) -> bool:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().__lt__(value)


def test_halving_in_the_middle_of_growth_is_not_lost() -> None:
    maximum = Watched(40)
    concurrency = ConcurrencyLimit(maximum, 8)
    refusing = threading.Thread(target=concurrency.throttled)

    def refuse() -> None:
        refusing.start()
        # It comes to its end here only where nothing keeps it from coming between.
        refusing.join(0.2)

    maximum.meanwhile = refuse
    concurrency.answered(FAST, None)
    refusing.join(SECONDS)
    assert concurrency.limit == 4


def test_most_that_a_limit_was_is_kept_whoever_tells_it() -> None:
    """Many threads, with the interpreter changing between them as often as it can."""
    header = "x-ms-ratelimit-burst-remaining-xrm-requests"
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            limits, together = Budgets(DATAVERSE.dialect.budgets), threading.Barrier(8)

            def tell(
                first: int, limits: Budgets = limits, together: threading.Barrier = together
            ) -> None:
                together.wait(SECONDS)
                for left in range(first, 7_000, 8):
                    limits.answered({header: str(left)})

            with ThreadPoolExecutor(8) as pool:
                list(pool.map(tell, range(6_800, 6_808)))
            assert limits.summary() == "6,800 of 6,999 requests"
    finally:
        sys.setswitchinterval(usual)


@pytest.mark.parametrize("most", [1, 3])
def test_requests_of_all_threads_together_are_no_more_than_the_setting(most: int) -> None:
    """Whoever makes them: the engine, what counts rows, what reads metadata."""
    lock = threading.Lock()
    now, seen = 0, [0]

    def slow(_: bytes) -> bytes:
        nonlocal now
        with lock:
            now += 1
            seen.append(now)
        threading.Event().wait(0.05)
        with lock:
            now -= 1
        return answer(b"{}")

    with serving(slow) as server:
        config = {"service_url": f"{server.url}/api/data/v9.2/", "access_token": "x"}
        settings = Settings.from_config({**config, "max_parallel_requests": most}, JSON_SCHEMA)
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(
                connect(settings).client.get, [f"table{number}" for number in range(24)]
            )
            assert [each.content for each in answers] == [b"{}"] * 24
    assert max(seen) <= most


def test_requests_wait_while_fewer_are_allowed_and_go_on_when_more_are() -> None:
    concurrency, halfway = ConcurrencyLimit(4, 8), threading.Event()
    entered: list[int] = []

    def request(number: int) -> None:
        with concurrency.request():
            entered.append(number)
            halfway.wait(SECONDS)

    for _ in range(2):
        concurrency.throttled()
    threads = [threading.Thread(target=request, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
        thread.join(0.1)
    assert len(entered) == concurrency.limit == 1
    concurrency.answered(FAST, "4")
    while len(entered) < 4:
        assert any(thread.is_alive() for thread in threads)
    halfway.set()
    for thread in threads:
        thread.join(SECONDS)


def test_request_that_fails_makes_room_for_the_next() -> None:
    concurrency = ConcurrencyLimit(1, 8)
    for _ in range(3):
        with pytest.raises(requests.ConnectionError), concurrency.request():
            raise requests.ConnectionError
