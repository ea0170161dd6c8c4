"""Refresh-token grant, and an access token from the settings, against a token endpoint."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import requests

from tap_dynamics365.auth import authenticator
from tap_dynamics365.errors import TransientSignInError
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.auth.endpoint import (
    SECRETS,
    SERVICE,
    TokenEndpoint,
    authenticator_for,
    authorization,
    refusal,
    serving_tokens,
)

AWKWARD_URL = (
    f"{SERVICE}accounts?$select=name,accountid&$skiptoken=%3Ccookie%20page=%222%22%2F%3E"
    "&b=2&a=1&a=%2B+&empty=&$orderby=modifiedon%20asc#part"
)
TOKEN = "e.y/J+="  # noqa: S105 - an invented one
AADSTS = (
    "AADSTS70000: The provided grant has expired because it was revoked.\r\n"
    "Trace ID: 11111111-2222-3333-4444-555555555555\r\nTimestamp: 2026-01-31 08:00:00Z"
)


def test_public_client_sends_no_secret_and_no_scope(endpoint: TokenEndpoint) -> None:
    endpoint.gives("one", expires_in=3599)
    assert authorization(authenticator_for(endpoint)) == "Bearer one"
    assert endpoint.forms == [
        {
            "at": ["/common/oauth2/v2.0/token"],
            "grant_type": ["refresh_token"],
            "client_id": ["the-client"],
            "refresh_token": [SECRETS["refresh_token"]],
        }
    ]


def test_confidential_client_sends_its_secret_and_the_configured_scope(
    endpoint: TokenEndpoint,
) -> None:
    endpoint.gives("one", expires_in=3599)
    authorization(
        authenticator_for(endpoint, client_secret=SECRETS["client_secret"], scope="a/.default b")
    )
    (form,) = endpoint.forms
    assert form["client_secret"] == [SECRETS["client_secret"]]
    assert form["scope"] == ["a/.default b"]


def test_token_endpoint_of_version_1_is_sent_the_resource_and_no_scope(
    endpoint: TokenEndpoint,
) -> None:
    endpoint.gives("one", expires_in="3599")
    older = endpoint.url.replace("/v2.0", "")
    assert (
        authorization(authenticator_for(endpoint, token_uri=older, scope="a/.default"))
        == "Bearer one"
    )
    (form,) = endpoint.forms
    assert form["at"] == ["/common/oauth2/token"]
    assert form["resource"] == ["https://org.api.crm.dynamics.com"]
    assert "scope" not in form


def test_token_uri_with_the_drivers_method_is_requested_without_it(endpoint: TokenEndpoint) -> None:
    endpoint.gives("one", expires_in=3599)
    assert (
        authorization(authenticator_for(endpoint, token_uri=f"POST {endpoint.url}")) == "Bearer one"
    )


def test_rotated_refresh_token_is_used_within_the_run(
    endpoint: TokenEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.rotates("second", "third", "fourth")
    auth = authenticator_for(endpoint)
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            authorization(auth)
            auth.renew(float("inf"))
    assert endpoint.refresh_tokens == [SECRETS["refresh_token"], "second", "third"]
    advice, signed_in = [r for r in caplog.records if r.name.startswith("tap-dynamics365")]
    assert signed_in.getMessage().startswith("Signed in with refresh_token")
    assert advice.levelno == logging.INFO
    for words in ("90 days", "24 hours", "token_store"):
        assert words in advice.getMessage()
    for token in ("second", "third", SECRETS["refresh_token"]):
        assert token not in caplog.text


def test_rotated_refresh_token_that_is_refused_is_replaced_by_the_configured_one_once(
    endpoint: TokenEndpoint,
) -> None:
    endpoint.rotates("second")
    auth = authenticator_for(endpoint)
    authorization(auth)
    endpoint.refuses(400, {"error": "invalid_grant", "error_description": AADSTS})
    auth.renew(float("inf"))
    assert "AADSTS70000" in refusal(auth)
    configured = SECRETS["refresh_token"]
    assert endpoint.refresh_tokens == [configured, "second", configured]


def test_refresh_token_that_is_not_rotated_is_not_reported(
    endpoint: TokenEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.rotates(SECRETS["refresh_token"])
    with caplog.at_level(logging.INFO):
        authorization(authenticator_for(endpoint))
    assert "90 days" not in caplog.text


def test_refusal_is_reported_in_the_words_of_the_sign_in_host(endpoint: TokenEndpoint) -> None:
    endpoint.refuses(400, {"error": "invalid_grant", "error_description": AADSTS})
    message = refusal(authenticator_for(endpoint, client_secret=SECRETS["client_secret"]))
    assert "AADSTS70000: The provided grant has expired because it was revoked." in message
    assert "400" in message
    assert "\n" not in message
    assert "\r" not in message


def test_refusal_without_a_description_is_reported_by_its_code(endpoint: TokenEndpoint) -> None:
    endpoint.refuses(401, {"error": "invalid_client"})
    assert "invalid_client" in refusal(authenticator_for(endpoint))


@pytest.mark.parametrize("status", [400, 404, 500])
@pytest.mark.parametrize(
    "body", ["", "<html>Not here</html>", "[]", "{}", "null", '{"error":', '"words"']
)
def test_refusal_outside_oauth_names_token_uri(
    endpoint: TokenEndpoint, status: int, body: str
) -> None:
    endpoint.refuses(status, body)
    message = refusal(authenticator_for(endpoint))
    assert "token_uri" in message
    assert str(status) in message


@pytest.mark.parametrize(
    "body",
    ["", "<html>Sign in</html>", "[]", "{}", "null", '{"token_type":"Bearer","expires_in":3599}'],
)
def test_answer_without_a_token_names_token_uri(endpoint: TokenEndpoint, body: str) -> None:
    endpoint.refuses(200, body)
    assert "token_uri" in refusal(authenticator_for(endpoint))


def test_sign_in_after_a_refusal_succeeds(endpoint: TokenEndpoint) -> None:
    endpoint.refuses(400, {"error": "invalid_grant"})
    auth = authenticator_for(endpoint)
    refusal(auth)
    endpoint.gives("one", expires_in=3599)
    assert authorization(auth) == "Bearer one"


def test_refresh_token_beside_an_access_token_takes_precedence(endpoint: TokenEndpoint) -> None:
    endpoint.gives("fresh", expires_in=3599)
    assert authorization(authenticator_for(endpoint, access_token=TOKEN)) == "Bearer fresh"


def test_access_token_from_the_settings_is_sent_unchanged() -> None:
    config = {"service_url": SERVICE, "access_token": TOKEN}
    auth = authenticator(Settings.from_config(config, JSON_SCHEMA))
    assert [authorization(auth) for _ in range(2)] == [f"Bearer {TOKEN}"] * 2


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_url_of_a_signed_request_is_unchanged(endpoint: TokenEndpoint, kind: str) -> None:
    endpoint.gives("one", expires_in=3599)
    config = {"service_url": SERVICE, "access_token": "x"}
    auth = (
        authenticator_for(endpoint)
        if kind == "refresh_token"
        else authenticator(Settings.from_config(config, JSON_SCHEMA))
    )
    request = requests.Request("GET", AWKWARD_URL).prepare()
    before = request.url
    assert auth(request).url == before
    assert request.headers["Authorization"].startswith("Bearer ")


def test_sign_in_host_that_is_unreachable_is_named() -> None:
    endpoint = TokenEndpoint()
    with serving_tokens(endpoint):
        auth = authenticator_for(endpoint)
    with pytest.raises(TransientSignInError) as caught:
        authorization(auth)
    assert "127.0.0.1" in caught.value.message


TRANSIENT: dict[str, tuple[int, str | dict[str, Any]]] = {
    "throttled": (429, {"error": "temporarily_unavailable"}),
    "throttled without words": (429, ""),
    "broken": (500, "<html>Broken</html>"),
    "unavailable": (503, {"error": "server_error", "error_description": "Busy."}),
    "directory unavailable": (
        400,
        {"error": "invalid_grant", "error_description": "AADSTS90033: Not available."},
    ),
    "a code in the list alone": (
        400,
        {"error": "invalid_request", "error_description": "Busy.", "error_codes": [90033]},
    ),
}


@pytest.mark.parametrize("answer", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_transient_refusal_carries_the_retry_after_of_the_host(
    endpoint: TokenEndpoint, answer: tuple[int, str | dict[str, Any]]
) -> None:
    endpoint.refuses(*answer, Retry_After="7")
    with pytest.raises(TransientSignInError) as caught:
        authorization(authenticator_for(endpoint))
    assert caught.value.response is not None
    assert caught.value.response.headers["Retry-After"] == "7"
    assert len(endpoint.forms) == 1


def test_redirect_of_a_token_request_is_not_followed(endpoint: TokenEndpoint) -> None:
    endpoint.refuses(307, "", Location=endpoint.url)
    refusal(authenticator_for(endpoint, client_secret=SECRETS["client_secret"]))
    assert len(endpoint.forms) == 1


def test_secret_repeated_by_the_host_is_redacted(
    endpoint: TokenEndpoint,
) -> None:
    words = f"{SECRETS['refresh_token']} 0.AX~k%2F%2B%3D%3D and {SECRETS['client_secret']}"
    endpoint.refuses(400, {"error": "invalid_grant", "error_description": f"Not good: {words}."})
    message = refusal(authenticator_for(endpoint, client_secret=SECRETS["client_secret"]))
    assert "0.AX~k" not in message
    assert "Not good: … … and …." in message
