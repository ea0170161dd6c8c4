"""Token endpoint with scripted answers, and helpers that sign requests with its tokens."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
import requests
from typing_extensions import override

from tap_dynamics365.auth import authenticator
from tap_dynamics365.errors import SignInError
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers.front import Answering, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_dynamics365.auth import Authenticator

SERVICE = "https://org.api.crm.dynamics.com/api/data/v9.2/"
SECRETS = {"refresh_token": "0.AX~k/+==", "client_secret": "s8Q~/+=&x"}


@dataclass
class TokenEndpoint:
    """A token endpoint that sends scripted answers and repeats the last one.

    Attributes:
        url: The URL of the endpoint.
        answers: The status, body and headers of each answer, in order.
        forms: The forms of the requests, in order.
        open: Set while the endpoint answers; while it is not set, requests wait.
        asked: Set by each request.
    """

    url: str = ""
    answers: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)

    def gives(self, *tokens: str, **more: Any) -> None:
        """Script answers that each contain one of these access tokens."""
        bodies = ({"token_type": "Bearer", "access_token": token, **more} for token in tokens)
        self.answers = [(200, json.dumps(body), {}) for body in bodies]

    def rotates(self, *tokens: str, **more: Any) -> None:
        """Script answers that each contain one of these refresh tokens and an access token."""
        self.answers = []
        for token in tokens:
            body = {"access_token": f"access-{token}", "refresh_token": token, **more}
            self.answers.append((200, json.dumps(body), {}))

    def refuses(self, status: int, body: str | dict[str, Any], **headers: str) -> None:
        """Script one answer with this status; an underscore in a header stands for a hyphen."""
        text = body if isinstance(body, str) else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers = [(status, text, named)]

    @property
    def refresh_tokens(self) -> list[str]:
        """The refresh tokens of the requests, in order."""
        return [form["refresh_token"][0] for form in self.forms]


@contextmanager
def serving_tokens(endpoint: TokenEndpoint) -> Iterator[None]:
    """Serve an endpoint until the block ends."""
    lock = threading.Lock()

    class Handler(Answering):
        @override
        def serve(self) -> None:
            form = parse_qs(self.body().decode(), keep_blank_values=True)
            with lock:
                endpoint.forms.append({**form, "at": [self.path]})
                status, body, headers = endpoint.answers[0]
                del endpoint.answers[: len(endpoint.answers) > 1]
            endpoint.asked.set()
            endpoint.open.wait()
            self.answer(status, [*headers.items()], body.encode())

    with serving(Handler) as server:
        endpoint.url = f"http://127.0.0.1:{server.server_port}/common/oauth2/v2.0/token"
        endpoint.open.set()
        try:
            yield
        finally:
            endpoint.open.set()


def settings(endpoint: TokenEndpoint, **more: str | None) -> Settings:
    """Make settings of the refresh-token grant, with further settings; None removes one."""
    config = {
        "service_url": SERVICE,
        "token_uri": endpoint.url,
        "client_id": "the-client",
        "refresh_token": SECRETS["refresh_token"],
        **more,
    }
    return Settings.from_config(config, JSON_SCHEMA)


def authenticator_for(endpoint: TokenEndpoint, **more: str | None) -> Authenticator:
    """Make the authenticator of the grant that these settings select."""
    return authenticator(settings(endpoint, **more))


def authorization(auth: Authenticator, url: str = SERVICE) -> str:
    """Sign a request and return its `Authorization` header."""
    return str(auth(requests.Request("GET", url).prepare()).headers["Authorization"])


def refusal(auth: Authenticator) -> str:
    """Sign a request, which has to fail, and return the message of the error."""
    with pytest.raises(SignInError) as caught:
        authorization(auth)
    for secret in SECRETS.values():
        assert secret not in caught.value.message
    return caught.value.message


def sign_in(endpoint: TokenEndpoint, store_path: Path, **more: str | None) -> None:
    """Sign in with a token store, as one run of the tap does."""
    authorization(authenticator_for(endpoint, token_store=str(store_path), **more))


def stored(store_path: Path) -> dict[str, Any]:
    """Read the content of a token store."""
    content: dict[str, Any] = json.loads(store_path.read_text())
    return content


def stored_token(store_path: Path) -> str:
    """Read the refresh token of a token store."""
    return str(stored(store_path)["refresh_token"])
