"""What an access token says of itself when a service refuses it."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_dynamics365.auth.access_token import fault

SERVICE = "https://org.api.crm.dynamics.com/api/data/v9.2/"


def token(claims: object) -> str:
    """Write a JSON Web Token."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


def test_a_token_that_has_ended_is_told_with_its_end() -> None:
    assert fault(token({"exp": 1767225600}), SERVICE) == "expired at 2026-01-01 00:00 UTC"


@pytest.mark.parametrize(
    "audience", ["https://other.crm.dynamics.com", "https://other.api.crm.dynamics.com/"]
)
def test_a_token_of_another_environment_is_told(audience: str) -> None:
    told = fault(token({"aud": audience, "exp": time.time() + 3600}), SERVICE)
    assert told is not None
    assert "other." in told
    assert "service_url" in told


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": "https://org.crm.dynamics.com/"},
        {"aud": "https://org.api.crm.dynamics.com"},
        {"aud": "https://ORG.crm.dynamics.com:443/"},
        {"aud": "00000007-0000-0000-c000-000000000000"},
        {"aud": ["https://other.crm.dynamics.com"]},
        {"aud": "https://[::1"},
        *({"exp": end} for end in (True, False, "1", None, 0, -5, 1e300, float("inf"), 10**400)),
    ],
    ids=str,
)
def test_of_a_token_that_looks_right_nothing_is_told(claims: dict[str, Any]) -> None:
    assert fault(token(claims), SERVICE) is None


@given(
    st.text()
    | st.binary().map(lambda payload: f"x.{base64.urlsafe_b64encode(payload).decode()}.y")
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["aud", "exp"]), inner),
    ).map(token)
)
@example("a.é.b")
@example(f"a.{'W' * 10_000}.b")
def test_whatever_a_token_is_it_can_be_looked_at(text: str) -> None:
    assert fault(text, SERVICE) is None or text
