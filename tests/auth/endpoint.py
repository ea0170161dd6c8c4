"""A token endpoint that gives the answers it is told to, and what a grant makes of them."""

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

    from tap_dynamics365.auth import Authenticator

SERVICE = "https://org.api.crm.dynamics.com/api/data/v9.2/"
SECRETS = {"refresh_token": "0.AX~k/+==", "client_secret": "s8Q~/+=&x"}


@dataclass
class TokenEndpoint:
    """Gives the answers it is told to, the last one again and again.

    Args:
        url: Where it is.
        answers: Status, body and headers, in order.
        forms: What it was sent.
        open: Set as long as it answers; otherwise a request waits.
        asked: Set by each request.
    """

    url: str = ""
    answers: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)

    def gives(self, *tokens: str, **more: Any) -> None:
        """Let it give these tokens, one after the other."""
        bodies = ({"token_type": "Bearer", "access_token": token, **more} for token in tokens)
        self.answers = [(200, json.dumps(body), {}) for body in bodies]

    def rotates(self, *tokens: str, **more: Any) -> None:
        """Let it give an access token with each of these refresh tokens, one after the other."""
        self.answers = []
        for token in tokens:
            body = {"access_token": f"access-{token}", "refresh_token": token, **more}
            self.answers.append((200, json.dumps(body), {}))

    def refuses(self, status: int, body: str | dict[str, Any], **headers: str) -> None:
        """Let it refuse."""
        text = body if isinstance(body, str) else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers = [(status, text, named)]

    @property
    def refresh_tokens(self) -> list[str]:
        """The refresh tokens that it was sent."""
        return [form["refresh_token"][0] for form in self.forms]


@contextmanager
def serving(endpoint: TokenEndpoint) -> Iterator[None]:
    """Serve an endpoint while the block runs."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = parse_qs(self.rfile.read(length).decode(), keep_blank_values=True)
            with lock:
                endpoint.forms.append({**form, "at": [self.path]})
                status, body, headers = endpoint.answers[0]
                del endpoint.answers[: len(endpoint.answers) > 1]
            endpoint.asked.set()
            endpoint.open.wait()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body.encode())), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        endpoint.url = f"http://127.0.0.1:{server.server_port}/common/oauth2/v2.0/token"
        endpoint.open.set()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            endpoint.open.set()
            server.shutdown()
            thread.join()


def settings(endpoint: TokenEndpoint, **more: str | None) -> Settings:
    """Settings of the refresh-token grant, with others; None takes one away."""
    config = {
        "service_url": SERVICE,
        "token_uri": endpoint.url,
        "client_id": "the-client",
        "refresh_token": SECRETS["refresh_token"],
        **more,
    }
    return Settings.from_config(config, JSON_SCHEMA)


def signing(endpoint: TokenEndpoint, **more: str | None) -> Authenticator:
    """Set up the refresh-token grant, or another that other settings call for."""
    return authenticator(settings(endpoint, **more))


def sent(auth: Authenticator, url: str = SERVICE) -> str:
    """Sign a request; tell its authorization."""
    return str(auth(requests.Request("GET", url).prepare()).headers["Authorization"])


def refusal(auth: Authenticator) -> str:
    """Tell why signing a request fails."""
    with pytest.raises(SignInError) as caught:
        sent(auth)
    for secret in SECRETS.values():
        assert secret not in caught.value.message
    return caught.value.message
