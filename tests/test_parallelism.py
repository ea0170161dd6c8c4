"""How many requests may be in flight, as answers come in."""

from __future__ import annotations

import pytest

from tap_dynamics365.http.parallelism import Parallelism

FAST, SLOW = 0.2, 2.0


def answered(maximum: int, answers: list[float], hint: str | None = None) -> Parallelism:
    """Let answers come in that took so many seconds."""
    parallelism = Parallelism(maximum)
    for seconds in answers:
        parallelism.answered(seconds, hint)
    return parallelism


def test_it_starts_at_what_the_service_recommends() -> None:
    parallelism = Parallelism(20)
    assert parallelism.limit == 8
    parallelism.answered(FAST, "2")
    assert parallelism.limit == 2


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
    parallelism = answered(40, [FAST], "4")
    for _ in range(4):
        parallelism.answered(FAST, None)
    assert parallelism.limit == 8
    parallelism.refused()
    for _ in range(4):
        parallelism.answered(FAST, None)
    assert parallelism.limit == 4
    for _ in range(2):
        parallelism.answered(FAST, None)
    assert parallelism.limit == 5


def test_it_grows_where_slow_is_usual() -> None:
    assert answered(8, [FAST] + [SLOW] * 100, "4").limit == 8


def test_it_halves_at_a_refusal_and_grows_again() -> None:
    parallelism = answered(8, [FAST] * 60)
    parallelism.refused()
    assert parallelism.limit == 4
    for _ in range(60):
        parallelism.answered(FAST, None)
    assert parallelism.limit == 8


def test_one_request_is_always_allowed() -> None:
    parallelism = Parallelism(8)
    for _ in range(10):
        parallelism.refused()
    assert parallelism.limit == 1


def test_one_at_a_time_stays_one_at_a_time() -> None:
    assert answered(1, [FAST] * 60, "52").limit == 1
