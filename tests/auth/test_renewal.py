"""Renewal of access tokens: before they expire, after a refusal, and once for all threads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.errors import SignInError
from tests.auth.endpoint import authenticator_for, authorization

if TYPE_CHECKING:
    from tests.auth.endpoint import TokenEndpoint

THREADS = 8
# A test is certain to end within one minute.
LASTING = [{"expires_in": 3599}, {"expires_in": "3599"}, {"expires_in": 60}, {"expires_in": "60.0"}]
UNKNOWN = [
    {},
    *(
        {"expires_in": value}
        for value in (0, "0", -5, None, "", "soon", [], {}, True, "inf", "nan", 1e400, 10**400)
    ),
]


@pytest.mark.parametrize("lifetime", [*LASTING, *UNKNOWN], ids=str)
def test_access_token_is_reused_until_it_expires_or_if_its_lifetime_is_unknown(
    endpoint: TokenEndpoint, lifetime: dict[str, Any]
) -> None:
    endpoint.gives("one", "two", **lifetime)
    auth = authenticator_for(endpoint)
    assert [authorization(auth) for _ in range(3)] == ["Bearer one"] * 3
    assert len(endpoint.forms) == 1


def test_access_token_is_renewed_before_it_expires(endpoint: TokenEndpoint) -> None:
    endpoint.gives("one", "two", "three", expires_in=0.4)
    auth = authenticator_for(endpoint)
    seen = []
    for _ in range(3):
        seen.append(authorization(auth))
        # Three quarters of its lifetime.
        time.sleep(0.3)
    assert seen == ["Bearer one", "Bearer two", "Bearer three"]


def test_access_token_age_is_counted_from_before_the_request(endpoint: TokenEndpoint) -> None:
    endpoint.gives("one", "two", expires_in=0.2)
    endpoint.open.clear()
    auth = authenticator_for(endpoint)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(authorization, auth)
        endpoint.asked.wait()
        time.sleep(0.2)
        endpoint.open.set()
        assert first.result() == "Bearer one"
    assert authorization(auth) == "Bearer two"


def test_access_token_that_is_refused_is_renewed_once_for_all_threads(
    endpoint: TokenEndpoint,
) -> None:
    endpoint.gives("one", "two", "three")
    auth = authenticator_for(endpoint)
    authorization(auth)
    refused_at = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(auth.renew, [refused_at] * THREADS))
        assert set(pool.map(authorization, [auth] * THREADS)) == {"Bearer two"}
        # Requests whose refusal arrives late were also sent with the old token.
        assert all(pool.map(auth.renew, [refused_at] * THREADS))
        assert set(pool.map(authorization, [auth] * THREADS)) == {"Bearer two"}
    assert len(endpoint.forms) == 2


def test_access_token_from_the_settings_is_not_renewed(endpoint: TokenEndpoint) -> None:
    auth = authenticator_for(endpoint, refresh_token=None, access_token="mine")  # noqa: S106 - invented
    assert not auth.renew(time.monotonic())
    assert authorization(auth) == "Bearer mine"
    assert endpoint.forms == []


def test_concurrent_threads_share_one_token_request(endpoint: TokenEndpoint) -> None:
    endpoint.gives("one", "two")
    endpoint.open.clear()
    auth = authenticator_for(endpoint)
    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(authorization, auth) for _ in range(THREADS)]
        endpoint.asked.wait()
        endpoint.open.set()
        assert {future.result() for future in running} == {"Bearer one"}
    assert len(endpoint.forms) == 1


def test_concurrent_threads_share_a_refusal(endpoint: TokenEndpoint) -> None:
    endpoint.refuses(400, {"error": "invalid_grant"})
    endpoint.open.clear()
    auth = authenticator_for(endpoint)
    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(authorization, auth) for _ in range(THREADS)]
        endpoint.asked.wait()
        # Time for at least one other thread to begin to wait; a later one requests a token again.
        time.sleep(0.2)
        endpoint.open.set()
        for future in running:
            with pytest.raises(SignInError, match="invalid_grant"):
                future.result()
    assert len(endpoint.forms) < THREADS


def test_token_is_requested_at_first_use(endpoint: TokenEndpoint) -> None:
    auth = authenticator_for(endpoint)
    assert endpoint.forms == []
    endpoint.gives("one")
    auth.sign_in()
    auth.sign_in()
    assert authorization(auth) == "Bearer one"
    assert len(endpoint.forms) == 1
