"""Sign-in, against a token endpoint of its own."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
import requests
from typing_extensions import override

from tap_dynamics365.auth import authenticator
from tap_dynamics365.errors import SignInError
from tap_dynamics365.settings import JSON_SCHEMA, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.authenticators import APIAuthenticatorBase

SERVICE = "https://org.api.crm.dynamics.com/api/data/v9.2/"
AWKWARD_URL = (
    f"{SERVICE}accounts?$select=name,accountid&$skiptoken=%3Ccookie%20page=%222%22%2F%3E"
    "&b=2&a=1&a=%2B+&empty=&$orderby=modifiedon%20asc#part"
)
TOKEN = "e.y/J+="  # noqa: S105 - an invented one
SECRETS = {"refresh_token": "0.AX~k/+==", "client_secret": "s8Q~/+=&x"}
AADSTS = (
    "AADSTS70000: The provided grant has expired because it was revoked.\r\n"
    "Trace ID: 11111111-2222-3333-4444-555555555555\r\nTimestamp: 2026-01-31 08:00:00Z"
)


@dataclass
class TokenEndpoint:
    """Gives the answers it is told to, the last one again and again.

    Args:
        url: Where it is.
        answers: Status and body, in order.
        forms: What it was sent.
    """

    url: str = ""
    answers: list[tuple[int, str]] = field(default_factory=list)
    forms: list[dict[str, list[str]]] = field(default_factory=list)

    def gives(self, *tokens: str, **more: Any) -> None:
        """Let it give these tokens, one after the other."""
        bodies = ({"token_type": "Bearer", "access_token": token, **more} for token in tokens)
        self.answers = [(200, json.dumps(body)) for body in bodies]

    def refuses(self, status: int, body: str | dict[str, Any]) -> None:
        """Let it refuse."""
        self.answers = [(status, body if isinstance(body, str) else json.dumps(body))]


@contextmanager
def serving(endpoint: TokenEndpoint) -> Iterator[None]:
    """Serve an endpoint while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = parse_qs(self.rfile.read(length).decode(), keep_blank_values=True)
            endpoint.forms.append({**form, "at": [self.path]})
            status, body = endpoint.answers[0]
            del endpoint.answers[: len(endpoint.answers) > 1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        endpoint.url = f"http://127.0.0.1:{server.server_port}/common/oauth2/v2.0/token"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    """A token endpoint."""
    made = TokenEndpoint()
    with serving(made):
        yield made


def signing(endpoint: TokenEndpoint, **more: str) -> APIAuthenticatorBase:
    """Set up the refresh-token grant."""
    config = {
        "service_url": SERVICE,
        "token_uri": endpoint.url,
        "client_id": "the-client",
        "refresh_token": SECRETS["refresh_token"],
        **more,
    }
    return authenticator(Settings.from_config(config, JSON_SCHEMA))


def sent(auth: APIAuthenticatorBase, url: str = SERVICE) -> str:
    """Sign a request; tell its authorization."""
    return str(auth(requests.Request("GET", url).prepare()).headers["Authorization"])


def refusal(auth: APIAuthenticatorBase) -> str:
    """Tell why signing a request fails."""
    with pytest.raises(SignInError) as caught:
        sent(auth)
    for secret in SECRETS.values():
        assert secret not in caught.value.message
    return caught.value.message


def test_a_public_client_sends_no_secret_and_no_scope(endpoint: TokenEndpoint) -> None:
    endpoint.gives("one", expires_in=3599)
    assert sent(signing(endpoint)) == "Bearer one"
    assert endpoint.forms == [
        {
            "at": ["/common/oauth2/v2.0/token"],
            "grant_type": ["refresh_token"],
            "client_id": ["the-client"],
            "refresh_token": [SECRETS["refresh_token"]],
        }
    ]


def test_a_confidential_client_sends_its_secret_and_the_scope_wanted(
    endpoint: TokenEndpoint,
) -> None:
    endpoint.gives("one", expires_in=3599)
    sent(signing(endpoint, client_secret=SECRETS["client_secret"], scope="a/.default b"))
    (form,) = endpoint.forms
    assert form["client_secret"] == [SECRETS["client_secret"]]
    assert form["scope"] == ["a/.default b"]


def test_nothing_is_asked_before_it_is_needed(endpoint: TokenEndpoint) -> None:
    signing(endpoint)
    assert endpoint.forms == []


@pytest.mark.parametrize("lifetime", [{"expires_in": 3599}, {"expires_in": "3599"}, {}])
def test_a_token_is_used_as_long_as_it_is_valid(
    endpoint: TokenEndpoint, lifetime: dict[str, Any]
) -> None:
    endpoint.gives("one", "two", **lifetime)
    auth = signing(endpoint)
    assert [sent(auth) for _ in range(3)] == ["Bearer one"] * 3
    assert len(endpoint.forms) == 1


@pytest.mark.parametrize("seconds", [1, 59, 60, "60"])
def test_a_token_in_its_last_minute_is_renewed(endpoint: TokenEndpoint, seconds: int | str) -> None:
    endpoint.gives("one", "two", "three", expires_in=seconds)
    auth = signing(endpoint)
    assert [sent(auth) for _ in range(3)] == ["Bearer one", "Bearer two", "Bearer three"]


def test_a_refusal_is_told_in_the_words_of_the_sign_in_host(endpoint: TokenEndpoint) -> None:
    endpoint.refuses(400, {"error": "invalid_grant", "error_description": AADSTS})
    message = refusal(signing(endpoint, client_secret=SECRETS["client_secret"]))
    assert "AADSTS70000: The provided grant has expired because it was revoked." in message
    assert "400" in message
    assert "\n" not in message
    assert "\r" not in message


def test_a_refusal_without_words_is_told_by_its_code(endpoint: TokenEndpoint) -> None:
    endpoint.refuses(401, {"error": "invalid_client"})
    assert "invalid_client" in refusal(signing(endpoint))


@pytest.mark.parametrize("status", [400, 404, 500])
@pytest.mark.parametrize(
    "body", ["", "<html>Not here</html>", "[]", "{}", "null", '{"error":', '"words"']
)
def test_a_refusal_by_something_else_points_to_the_token_uri(
    endpoint: TokenEndpoint, status: int, body: str
) -> None:
    endpoint.refuses(status, body)
    message = refusal(signing(endpoint))
    assert "token_uri" in message
    assert str(status) in message


@pytest.mark.parametrize(
    "body",
    ["", "<html>Sign in</html>", "[]", "{}", "null", '{"token_type":"Bearer","expires_in":3599}'],
)
def test_an_answer_that_has_no_token_points_to_the_token_uri(
    endpoint: TokenEndpoint, body: str
) -> None:
    endpoint.refuses(200, body)
    assert "token_uri" in refusal(signing(endpoint))


def test_signing_in_again_is_possible_after_a_refusal(endpoint: TokenEndpoint) -> None:
    endpoint.refuses(400, {"error": "temporarily_unavailable"})
    auth = signing(endpoint)
    refusal(auth)
    endpoint.gives("one", expires_in=3599)
    assert sent(auth) == "Bearer one"


def test_a_refresh_token_beats_an_access_token(endpoint: TokenEndpoint) -> None:
    endpoint.gives("fresh", expires_in=3599)
    assert sent(signing(endpoint, access_token=TOKEN)) == "Bearer fresh"


def test_an_access_token_is_used_as_it_is() -> None:
    config = {"service_url": SERVICE, "access_token": TOKEN}
    auth = authenticator(Settings.from_config(config, JSON_SCHEMA))
    assert [sent(auth) for _ in range(2)] == [f"Bearer {TOKEN}"] * 2


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_the_address_of_a_request_is_left_as_it_is(endpoint: TokenEndpoint, kind: str) -> None:
    endpoint.gives("one", expires_in=3599)
    config = {"service_url": SERVICE, "access_token": "x"}
    auth = (
        signing(endpoint)
        if kind == "refresh_token"
        else authenticator(Settings.from_config(config, JSON_SCHEMA))
    )
    request = requests.Request("GET", AWKWARD_URL).prepare()
    before = request.url
    assert auth(request).url == before
    assert request.headers["Authorization"].startswith("Bearer ")


def test_a_sign_in_host_that_is_not_there_is_named() -> None:
    endpoint = TokenEndpoint()
    with serving(endpoint):
        auth = signing(endpoint)
    assert "127.0.0.1" in refusal(auth)
