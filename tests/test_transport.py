"""The way to the hosts: which proxy, and what nobody else is told."""

from __future__ import annotations

import base64
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import requests
from typing_extensions import override

from tap_dynamics365.errors import TransportError
from tap_dynamics365.http import transport
from tap_dynamics365.settings import JSON_SCHEMA, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A name that only a proxy could find.
SERVICE = "http://org.invented.example/api/data/v9.2/"
PASSWORD = "p@ss:wörd/+ €"  # noqa: S105 - an invented one


@dataclass
class Host:
    """A host, or a proxy on the way to all hosts; answers everything the same.

    Args:
        port: Where it listens on 127.0.0.1.
        status: What it answers.
        asked: The request lines that it got.
        headers: The headers that came with them.
    """

    port: int = 0
    status: int = 200
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(host: Host) -> Iterator[Host]:
    """Serve while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append(f"{self.command} {self.path}")
            host.headers.append(dict(self.headers.items()))
            self.send_response(host.status)
            self.send_header("Set-Cookie", "affinity=one; Path=/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_CONNECT = do_GET  # noqa: N815 - as the base class names them

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        host.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def host() -> Iterator[Host]:
    """A host, or a proxy."""
    with serving(Host()) as made:
        yield made


@pytest.fixture
def environments_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """The proxy that the environment names."""
    with serving(Host()) as made:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, made.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield made


def session(**more: str | int) -> requests.Session:
    """Make a session as the tap does."""
    config = {"service_url": "https://org.example/", "access_token": "x", **more}
    return transport.session(Settings.from_config(config, JSON_SCHEMA))


def through(proxy: Host, **more: str) -> requests.Session:
    """Make a session with the proxy in the settings."""
    return session(proxy_host="127.0.0.1", proxy_port=proxy.port, **more)


@pytest.mark.parametrize("address", [SERVICE, "http://127.0.0.1:1/", "http://localhost:1/"])
def test_every_request_goes_through_the_proxy_of_the_settings(host: Host, address: str) -> None:
    made = through(host)
    made.get(address)
    made.post(address, data={"a": "b"})
    # As the SDK sends what it has prepared.
    made.send(made.prepare_request(requests.Request("GET", address)))
    assert host.asked == [f"{method} {address}" for method in ("GET", "POST", "GET")]


def test_the_proxy_of_the_settings_wins_over_the_environments(
    host: Host, environments_proxy: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    made = through(host)
    made.get(SERVICE)
    made.send(made.prepare_request(requests.Request("GET", SERVICE)))
    assert len(host.asked) == 2
    assert environments_proxy.asked == []


def test_without_one_in_the_settings_the_environments_proxy_is_used(
    environments_proxy: Host,
) -> None:
    made = session()
    made.get(SERVICE)
    made.send(made.prepare_request(requests.Request("GET", SERVICE)))
    assert environments_proxy.asked == [f"GET {SERVICE}"] * 2


def test_the_proxy_is_told_who_asks(host: Host) -> None:
    through(host, proxy_user="jörg", proxy_password=PASSWORD).get(SERVICE)
    (headers,) = host.headers
    encoded = headers["Proxy-Authorization"].removeprefix("Basic ")
    assert base64.b64decode(encoded).decode() == f"jörg:{PASSWORD}"


def test_on_the_way_to_a_https_host_only_the_proxy_is_told(host: Host) -> None:
    made = through(host, proxy_user="me", proxy_password=PASSWORD)
    # It agrees to a tunnel that leads nowhere.
    with pytest.raises(requests.RequestException):
        made.get("https://org.invented.example/path", headers={"Authorization": "Bearer x"})
    assert host.asked[0] == "CONNECT org.invented.example:443"
    assert "Proxy-Authorization" in host.headers[0]
    assert "Authorization" not in host.headers[0]


@pytest.mark.parametrize("address", [SERVICE, SERVICE.replace("http", "https")])
def test_a_proxy_that_wants_another_password_is_told_by_its_settings(
    host: Host, address: str
) -> None:
    host.status = 407
    with pytest.raises(TransportError) as caught:
        through(host, proxy_user="me", proxy_password=PASSWORD).get(address)
    for name in ("proxy_user", "proxy_password", "proxy_host"):
        assert name in caught.value.message
    assert PASSWORD not in caught.value.message
    assert len(host.asked) == 1


@pytest.mark.parametrize("address", [SERVICE, SERVICE.replace("http", "https")])
def test_a_proxy_that_is_not_there_is_told_by_its_settings(address: str) -> None:
    with serving(Host()) as host:
        made = through(host, proxy_user="me", proxy_password=PASSWORD)
    with pytest.raises(requests.exceptions.ProxyError) as caught:
        made.get(address)
    told = transport.reason(caught.value)
    assert "proxy_host" in told
    assert "proxy_port" in told
    # Not even what requests says has it.
    assert PASSWORD not in f"{caught.value!r}{caught.value}{caught.value.__context__!r}"


def test_no_cookie_is_sent_back(host: Host) -> None:
    made = session()
    for _ in range(2):
        made.get(host.url)
    assert all("Cookie" not in headers for headers in host.headers)
    assert all("tap-dynamics365/" in headers["User-Agent"] for headers in host.headers)


def test_a_password_for_the_host_in_netrc_is_not_sent(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password invented-password\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert requests.get(host.url, timeout=60).ok
    made = session()
    made.get(host.url)
    made.send(made.prepare_request(requests.Request("GET", host.url)))
    assert ["Authorization" in headers for headers in host.headers] == [True, False, False]


def test_connections_that_end_are_told_without_their_layers() -> None:
    with serving(Host()) as host:
        address = f"{host.url}/api?secret=1"
    with pytest.raises(requests.ConnectionError) as caught:
        session().get(address)
    assert transport.reason(caught.value) == f"ConnectionError at 127.0.0.1:{host.port}."
    assert transport.reason(requests.ReadTimeout()) == "No answer in time."
    # Of a body, requests does not tell where it came from.
    assert transport.reason(requests.ConnectionError()) == "ConnectionError."
