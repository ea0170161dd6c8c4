"""A plain client of the Web API, for tests."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from sandbox.client import Sandbox

TIMEOUT = 60


@dataclass
class Api:
    """A client with a token of its own."""

    sandbox: Sandbox
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        """Use no proxy, and sign in."""
        self.session.trust_env = False
        self.sign_in()

    def token(self, **changes: str | None) -> requests.Response:
        """The answer to a refresh of the token; a change to None leaves the field out."""
        settings = self.sandbox.settings
        form: dict[str, str | None] = {
            "grant_type": "refresh_token",
            "client_id": settings["client_id"],
            "client_secret": settings["client_secret"],
            "refresh_token": settings["refresh_token"],
        }
        form |= changes
        sent = {name: value for name, value in form.items() if value is not None}
        return requests.post(settings["token_uri"], data=sent, timeout=TIMEOUT)

    def sign_in(self) -> None:
        """Take a new access token."""
        self.session.headers["Authorization"] = f"Bearer {self.token().json()['access_token']}"

    def get(self, path: str, **headers: str) -> requests.Response:
        """The answer to a GET of a path below the service root, or of a whole URL."""
        url = path if path.startswith("http") else self.sandbox.service_url + path
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.get(url, headers=named, timeout=TIMEOUT)

    def read(self, path: str, **headers: str) -> dict[str, Any]:
        """The JSON of an answer that must be good, decimals exact."""
        response = self.get(path, **headers)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = json.loads(response.content, parse_float=Decimal)
        return found

    def pages(self, path: str, size: int) -> list[list[dict[str, Any]]]:
        """The rows of all pages."""
        pages = []
        link: str | None = path
        while link:
            answer = self.read(link, Prefer=f"odata.maxpagesize={size}")
            pages.append(answer["value"])
            link = answer.get("@odata.nextLink")
        return pages

    def rows(self, path: str, size: int = 5000) -> list[dict[str, Any]]:
        """All rows of a query."""
        return [row for page in self.pages(path, size) for row in page]

    def refusal(self, path: str, **headers: str) -> tuple[int, str, str]:
        """Status, code and message of an error."""
        response = self.get(path, **headers)
        error = response.json()["error"]
        return response.status_code, error["code"], error["message"]
