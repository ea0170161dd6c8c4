"""Client of the page of `dynamics365 configure`, as a browser or an attacker sends requests."""

from __future__ import annotations

import html
import re
import time
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.login.program import Program

SECONDS = 60
ADDRESS = r"(?m)^ +(http://localhost:\d+/#k=\S+)$"
FORM = "application/x-www-form-urlencoded"

Form = dict[str, str] | list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """An answer of the page.

    Args:
        status: The HTTP status.
        headers: The headers, by name in lower case.
        text: The body.
    """

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def notices(self) -> list[str]:
        """What the page says of the last form."""
        found = re.findall(r'<p class="notice \w+">(.*?)</p>', self.text, re.DOTALL)
        return [html.unescape(each) for each in found]


@dataclass
class Client:
    """A browser, as far as HTTP goes.

    Args:
        address: The address that the command printed.
        seconds: How long an answer may take.
    """

    address: str
    seconds: float = SECONDS
    cookie: str = ""
    csrf: str = ""
    port: int = field(init=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        """Split the address."""
        parts = urlsplit(self.address)
        assert parts.port
        self.port, self.key = parts.port, parts.fragment.removeprefix("k=")

    @property
    def host(self) -> str:
        """The header `Host`."""
        return f"localhost:{self.port}"

    def send(
        self,
        method: str,
        path: str,
        form: Form | None = None,
        headers: Mapping[str, str | None] | None = None,
        to: str = "127.0.0.1",
    ) -> Answer:
        """Send a request with the headers of a browser.

        Args:
            method: The method.
            path: The path and query.
            form: The fields of a form.
            headers: Headers instead of those; None leaves one out.
            to: The host to connect to.
        """
        own: dict[str, str | None] = {"Host": self.host, "Cookie": self.cookie or None}
        body = None
        if form is not None:
            body = urlencode(form).encode()
            own |= {"Content-Type": FORM, "Content-Length": str(len(body))}
        if method != "GET":
            own |= {"Origin": f"http://{self.host}", "Sec-Fetch-Site": "same-origin"}
        with closing(HTTPConnection(to, self.port, timeout=self.seconds)) as connection:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in {**own, **(headers or {})}.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read().decode())

    def open(self) -> Answer:
        """Exchange the key for the cookie."""
        answer = self.send("POST", "/start", {"key": self.key})
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
            token = re.search(r'name="csrf" value="([^"]+)"', self.get("/connect").text)
            assert token
            self.csrf = token[1]
        return answer

    def get(self, path: str) -> Answer:
        """Load a page."""
        return self.send("GET", path, headers={"Sec-Fetch-Site": "same-origin"})

    def post(self, path: str, form: Form | None = None) -> Answer:
        """Send a form of the page, and load the page that it leads to."""
        fields = list(form.items()) if isinstance(form, dict) else list(form or ())
        answer = self.send("POST", path, [("csrf", self.csrf), *fields])
        assert answer.status == 303, answer.text
        return self.get(answer.headers["location"].partition("#")[0])


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def client_of(program: Program) -> Client:
    """Return a client of a running command."""
    return Client(program.expect(ADDRESS)[1])
