"""Access token claims: why a service refuses a token, and who its holder is."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tap_dynamics365.auth.access_token import fault, holder

SERVICE = "https://org.api.crm.dynamics.com/api/data/v9.2/"


def token(claims: object) -> str:
    """Encode claims as a JSON Web Token."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


def test_access_token_that_has_expired_is_reported_with_its_expiry() -> None:
    assert fault(token({"exp": 1767225600}), SERVICE) == "expired at 2026-01-01 00:00 UTC"


@pytest.mark.parametrize(
    "audience", ["https://other.crm.dynamics.com", "https://other.api.crm.dynamics.com/"]
)
def test_access_token_of_another_environment_is_reported(audience: str) -> None:
    message = fault(token({"aud": audience, "exp": time.time() + 3600}), SERVICE)
    assert message is not None
    assert "other." in message
    assert "service_url" in message


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
def test_access_token_without_a_visible_fault_is_not_reported(claims: dict[str, Any]) -> None:
    assert fault(token(claims), SERVICE) is None


APP = "00000000-1111-2222-3333-invented0000"


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"upn": "ada@invented.example", "unique_name": "x", "appid": APP}, "ada@invented.example"),
        ({"preferred_username": "ada@invented.example", "azp": APP}, "ada@invented.example"),
        ({"unique_name": "live.com#ada@invented.example"}, "live.com#ada@invented.example"),
        ({"upn": "", "email": "ada@invented.example"}, "ada@invented.example"),
        ({"upn": 5, "name": "Ada\r\nInvented\x1b[0m", "appid": APP}, "Ada Invented [0m"),
        ({"appid": APP, "idtyp": "app"}, f"app {APP}"),
        ({"azp": APP, "ver": "2.0"}, f"app {APP}"),
        ({"appid": APP, "scp": "user_impersonation"}, ""),
        ({"appid": [APP]}, ""),
        ({}, ""),
        ([], ""),
    ],
    ids=str,
)
def test_holder_of_an_access_token_is_the_account_or_the_app(claims: object, expected: str) -> None:
    assert holder(token(claims)) == expected


@given(
    st.text()
    | st.dictionaries(
        st.sampled_from(["upn", "unique_name", "appid", "scp"]), st.text() | st.integers()
    ).map(token)
)
def test_holder_of_any_token_is_one_line_without_the_token(text: str) -> None:
    name = holder(text)
    assert not name or len(name.splitlines()) == 1
    assert not name or text not in name


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
def test_access_token_of_any_text_is_inspected_without_an_error(text: str) -> None:
    message = fault(text, SERVICE)
    assert message is None or re.match(r"expired at |was issued for ", message)
