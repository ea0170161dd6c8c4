"""When a token is renewed: in time, when it is refused, and once for all threads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.errors import SignInError
from tests.auth.endpoint import sent, signing

if TYPE_CHECKING:
    from tests.auth.endpoint import TokenEndpoint

THREADS = 8
# A minute is the shortest of lifetimes within which a test is certain to end.
LASTING = [{"expires_in": 3599}, {"expires_in": "3599"}, {"expires_in": 60}, {"expires_in": "60.0"}]
UNKNOWN = [
    {},
    *(
        {"expires_in": value}
        for value in (0, "0", -5, None, "", "soon", [], {}, True, "inf", "nan", 1e400, 10**400)
    ),
]


@pytest.mark.parametrize("lifetime", [*LASTING, *UNKNOWN], ids=str)
def test_a_token_is_used_as_long_as_it_is_good_or_may_be(
    endpoint: TokenEndpoint, lifetime: dict[str, Any]
) -> None:
    endpoint.gives("one", "two", **lifetime)
    auth = signing(endpoint)
    assert [sent(auth) for _ in range(3)] == ["Bearer one"] * 3
    assert len(endpoint.forms) == 1


def test_a_token_is_renewed_before_its_end(endpoint: TokenEndpoint) -> None:
    endpoint.gives("one", "two", "three", expires_in=0.4)
    auth = signing(endpoint)
    seen = []
    for _ in range(3):
        seen.append(sent(auth))
        # Three quarters of its life.
        time.sleep(0.3)
    assert seen == ["Bearer one", "Bearer two", "Bearer three"]


def test_the_age_of_a_token_counts_from_before_it_was_asked_for(endpoint: TokenEndpoint) -> None:
    endpoint.gives("one", "two", expires_in=0.2)
    endpoint.open.clear()
    auth = signing(endpoint)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(sent, auth)
        endpoint.asked.wait()
        time.sleep(0.2)
        endpoint.open.set()
        assert first.result() == "Bearer one"
    assert sent(auth) == "Bearer two"


def test_a_token_that_was_refused_is_renewed_once_for_all(endpoint: TokenEndpoint) -> None:
    endpoint.gives("one", "two", "three")
    auth = signing(endpoint)
    sent(auth)
    refused_at = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(auth.renew, [refused_at] * THREADS))
        assert set(pool.map(sent, [auth] * THREADS)) == {"Bearer two"}
        # Those whose refusal comes late were sent with the old token too.
        assert all(pool.map(auth.renew, [refused_at] * THREADS))
        assert set(pool.map(sent, [auth] * THREADS)) == {"Bearer two"}
    assert len(endpoint.forms) == 2


def test_an_access_token_alone_can_not_be_renewed(endpoint: TokenEndpoint) -> None:
    auth = signing(endpoint, refresh_token=None, access_token="mine")  # noqa: S106 - invented
    assert not auth.renew(time.monotonic())
    assert sent(auth) == "Bearer mine"
    assert endpoint.forms == []


def test_all_threads_wait_for_one_token(endpoint: TokenEndpoint) -> None:
    endpoint.gives("one", "two")
    endpoint.open.clear()
    auth = signing(endpoint)
    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(sent, auth) for _ in range(THREADS)]
        endpoint.asked.wait()
        endpoint.open.set()
        assert {future.result() for future in running} == {"Bearer one"}
    assert len(endpoint.forms) == 1


def test_threads_share_a_refusal(endpoint: TokenEndpoint) -> None:
    endpoint.refuses(400, {"error": "invalid_grant"})
    endpoint.open.clear()
    auth = signing(endpoint)
    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(sent, auth) for _ in range(THREADS)]
        endpoint.asked.wait()
        # Time for one of the others at least to begin to wait; who comes later asks again.
        time.sleep(0.2)
        endpoint.open.set()
        for future in running:
            with pytest.raises(SignInError, match="invalid_grant"):
                future.result()
    assert len(endpoint.forms) < THREADS


def test_nothing_is_asked_before_it_is_needed(endpoint: TokenEndpoint) -> None:
    auth = signing(endpoint)
    assert endpoint.forms == []
    endpoint.gives("one")
    auth.sign_in()
    auth.sign_in()
    assert sent(auth) == "Bearer one"
    assert len(endpoint.forms) == 1
