"""The limit of requests in flight, which adapts to the answers."""

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
    """Make a limit that has learnt from answers, given by their seconds."""
    concurrency = ConcurrencyLimit(maximum, 8)
    for seconds in answers:
        concurrency.answered(seconds, hint)
    return concurrency


def test_limit_of_a_service_with_a_hint_starts_at_the_hint() -> None:
    concurrency = ConcurrencyLimit(20, 8)
    assert concurrency.limit == 8
    concurrency.answered(FAST, "2")
    assert concurrency.limit == 2


@pytest.mark.parametrize("hint", [None, "", "many", "-3", "²"])
def test_limit_without_a_valid_hint_grows_from_the_start(hint: str | None) -> None:
    assert answered(20, [FAST], hint).limit == 9


def test_hint_counts_once_and_up_to_the_maximum() -> None:
    assert answered(8, [FAST] * 100, "2").limit == 8
    assert answered(8, [FAST], "52").limit == 8


def test_limit_with_fast_answers_grows() -> None:
    limits = [answered(8, [FAST] * count, "4").limit for count in range(1, 60)]
    assert limits == sorted(limits)
    assert limits[-1] == 8


def test_limit_with_slow_answers_stays() -> None:
    assert answered(8, [FAST] * 2 + [SLOW] * 3, "4").limit == 5


def test_limit_doubles_with_each_round_of_answers_until_the_service_throttles() -> None:
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


def test_limit_with_answers_that_are_always_slow_grows() -> None:
    assert answered(8, [FAST] + [SLOW] * 100, "4").limit == 8


def test_limit_after_a_429_is_halved_and_grows_again() -> None:
    concurrency = answered(8, [FAST] * 60)
    concurrency.throttled()
    assert concurrency.limit == 4
    for _ in range(60):
        concurrency.answered(FAST, None)
    assert concurrency.limit == 8


def test_limit_after_many_429_allows_one_request() -> None:
    concurrency = ConcurrencyLimit(8, 8)
    for _ in range(10):
        concurrency.throttled()
    assert concurrency.limit == 1


def test_limit_with_a_maximum_of_1_stays_1() -> None:
    assert answered(1, [FAST] * 60, "52").limit == 1


class Watched(int):
    """A maximum that calls a function while a limit is compared with it, before it changes."""

    meanwhile: Callable[[], None] | None = None

    @override
    def __lt__(self, value: int, /) -> bool:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().__lt__(value)


def test_limit_that_is_halved_during_growth_stays_halved() -> None:
    maximum = Watched(40)
    concurrency = ConcurrencyLimit(maximum, 8)
    refusing = threading.Thread(target=concurrency.throttled)

    def refuse() -> None:
        refusing.start()
        # The thread ends here only if no lock keeps it waiting.
        refusing.join(0.2)

    maximum.meanwhile = refuse
    concurrency.answered(FAST, None)
    refusing.join(SECONDS)
    assert concurrency.limit == 4


def test_budgets_from_many_threads_keep_the_lowest_and_the_full_number() -> None:
    """The interpreter switches between the threads as often as possible."""
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
def test_requests_of_all_threads_together_keep_to_the_setting(most: int) -> None:
    """This includes requests for rows, row counts and metadata."""
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


def test_requests_above_the_limit_wait_until_it_grows() -> None:
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


def test_request_that_fails_makes_room_for_the_next_one() -> None:
    concurrency = ConcurrencyLimit(1, 8)
    for _ in range(3):
        with pytest.raises(requests.ConnectionError), concurrency.request():
            raise requests.ConnectionError
