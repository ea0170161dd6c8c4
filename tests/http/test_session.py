"""Sessions: proxies, cookies, credentials, and the reasons of failures."""

from __future__ import annotations

import base64
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import requests
from typing_extensions import override

from tap_dynamics365.errors import TransportError
from tap_dynamics365.http.session import failure_reason, open_session
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers import scripted, tls
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A name that only a proxy could find.
SERVICE = "http://org.invented.example/api/data/v9.2/"
PASSWORD = "p@ss:wörd/+ €"  # noqa: S105 - an invented one


@dataclass
class Host:
    """A host or a proxy that gives the same answer to each request.

    Args:
        port: The port on 127.0.0.1.
        status: The status of the answers.
        asked: The request lines that were received.
        headers: The headers of these requests.
    """

    port: int = 0
    status: int = 200
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of the host."""
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
            """Log nothing."""

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
    """A proxy that the environment names."""
    with serving(Host()) as made:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, made.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield made


@pytest.fixture
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the proxies of the machine from the environment."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def session(**more: str | int) -> requests.Session:
    """Make a session as the tap does."""
    config = {"service_url": "https://org.example/", "access_token": "x", **more}
    return open_session(Settings.from_config(config, JSON_SCHEMA))


def through(proxy: Host, **more: str) -> requests.Session:
    """Make a session with the proxy in the settings."""
    return session(proxy_host="127.0.0.1", proxy_port=proxy.port, **more)


@pytest.mark.parametrize("address", [SERVICE, "http://127.0.0.1:1/", "http://localhost:1/"])
def test_request_with_a_proxy_in_the_settings_goes_through_it(host: Host, address: str) -> None:
    made = through(host)
    made.get(address)
    made.post(address, data={"a": "b"})
    # As the SDK sends a prepared request.
    made.send(made.prepare_request(requests.Request("GET", address)))
    assert host.asked == [f"{method} {address}" for method in ("GET", "POST", "GET")]


def test_proxy_in_the_settings_takes_precedence_over_the_environment(
    host: Host, environments_proxy: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    made = through(host)
    made.get(SERVICE)
    made.send(made.prepare_request(requests.Request("GET", SERVICE)))
    assert len(host.asked) == 2
    assert environments_proxy.asked == []


def test_request_without_a_proxy_in_the_settings_uses_that_of_the_environment(
    environments_proxy: Host,
) -> None:
    made = session()
    made.get(SERVICE)
    made.send(made.prepare_request(requests.Request("GET", SERVICE)))
    assert environments_proxy.asked == [f"GET {SERVICE}"] * 2


def test_proxy_with_a_user_gets_the_credentials(host: Host) -> None:
    through(host, proxy_user="jörg", proxy_password=PASSWORD).get(SERVICE)
    (headers,) = host.headers
    encoded = headers["Proxy-Authorization"].removeprefix("Basic ")
    assert base64.b64decode(encoded).decode() == f"jörg:{PASSWORD}"


def test_request_to_an_https_host_sends_the_proxy_credentials_to_the_proxy_only(host: Host) -> None:
    made = through(host, proxy_user="me", proxy_password=PASSWORD)
    # The proxy opens a tunnel that leads nowhere.
    with pytest.raises(requests.RequestException):
        made.get("https://org.invented.example/path", headers={"Authorization": "Bearer x"})
    assert host.asked[0] == "CONNECT org.invented.example:443"
    assert "Proxy-Authorization" in host.headers[0]
    assert "Authorization" not in host.headers[0]


@pytest.mark.parametrize("address", [SERVICE, SERVICE.replace("http", "https")])
def test_proxy_that_requires_another_password_is_reported_with_its_settings(
    host: Host, address: str
) -> None:
    host.status = 407
    with pytest.raises(TransportError) as caught:
        through(host, proxy_user="me", proxy_password=PASSWORD).get(address)
    for name in ("proxy_user", "proxy_password", "proxy_host"):
        assert name in caught.value.message
    assert PASSWORD not in caught.value.message
    assert len(host.asked) == 1


@pytest.mark.usefixtures("no_proxy_of_this_machine")
def test_status_407_without_a_proxy_is_returned() -> None:
    with scripted.serving(scripted.answer(b"", 407)) as host:
        assert session().get(f"http://127.0.0.1:{host.port}/").status_code == 407


@pytest.mark.parametrize("address", [SERVICE, SERVICE.replace("http", "https")])
def test_proxy_that_is_not_reached_is_reported_with_its_settings(address: str) -> None:
    with serving(Host()) as host:
        made = through(host, proxy_user="me", proxy_password=PASSWORD)
    with pytest.raises(requests.exceptions.ProxyError) as caught:
        made.get(address)
    told = failure_reason(caught.value)
    assert "proxy_host" in told
    assert "proxy_port" in told
    # The exceptions of requests do not contain the password either.
    assert PASSWORD not in f"{caught.value!r}{caught.value}{caught.value.__context__!r}"


INVALID_PROXIES = {
    "no scheme": "foo:bar",
    "no host": "http://",
    "no host but a port": ":8080",
    "port too high": "http://127.0.0.1:99999",
    "port zero": "http://127.0.0.1:0",
    "port with letters": "http://127.0.0.1:port",
    "another scheme": "ftp://127.0.0.1:21",
    "blanks": " http://127.0.0.1:8080 ",
    "half an address": "http://[::1",
    "a password that is not escaped": "http://someone:invented#secret@127.0.0.1:8080",
}


@pytest.mark.usefixtures("no_proxy_of_this_machine")
@pytest.mark.parametrize("value", INVALID_PROXIES.values(), ids=INVALID_PROXIES.keys())
@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_proxy_variable_with_an_invalid_address_is_reported(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(TransportError) as caught:
        session().get("https://org.invented.example/")
    assert caught.value.message.startswith(f"The variable {variable} does not name a proxy")
    assert "secret" not in caught.value.message


@pytest.mark.usefixtures("no_proxy_of_this_machine")
@pytest.mark.parametrize("host", ["service_url", "token_uri"])
def test_proxy_variable_with_an_invalid_address_ends_a_run_at_once(host: str) -> None:
    away = "https://org.invented.example/api/data/v9.2/"
    settings = {
        "service_url": away if host == "service_url" else "http://127.0.0.1:9/api/data/v9.2/",
        "token_uri": "http://127.0.0.1:9/token" if host == "service_url" else f"{away}token",
        "client_id": "invented",
        "client_secret": "invented-client-secret",
        "access_token": "an-invented-token",
    }
    if host == "service_url":
        del settings["client_secret"]
    run = Tap(settings, {"HTTPS_PROXY": "foo:bar"}).run("--discover")
    assert "HTTPS_PROXY" in run.refusal()
    assert "Trying again" not in run.log


@pytest.mark.usefixtures("no_proxy_of_this_machine")
def test_socks_proxy_without_its_package_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5h://someone:invented-secret@127.0.0.1:1080")
    with pytest.raises(TransportError) as caught:
        session().get("https://org.invented.example/")
    assert "The variable ALL_PROXY names a SOCKS proxy" in caught.value.message
    assert "pip install PySocks" in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.usefixtures("no_proxy_of_this_machine")
def test_proxy_with_an_https_address_that_speaks_http_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with scripted.serving(scripted.answer(b"", 400)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{proxy.port}")
        with pytest.raises(TransportError, match="begin its address with http://"):
            session().get("https://org.invented.example/")


@pytest.mark.usefixtures("no_proxy_of_this_machine")
def test_proxy_with_an_untrusted_certificate_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with tls.running("http://127.0.0.1:9") as front:
        monkeypatch.setenv("HTTPS_PROXY", front.url)
        with pytest.raises(TransportError, match="The certificate of the proxy can't be trusted"):
            session().get("https://org.invented.example/")


@pytest.mark.parametrize("status", [403, 404])
def test_proxy_that_refuses_a_host_is_reported_at_once(host: Host, status: int) -> None:
    host.status = status
    with pytest.raises(TransportError) as caught:
        through(host).get("https://org.invented.example/path")
    for words in ("The proxy does not connect to org.invented.example", f"HTTP {status}"):
        assert words in caught.value.message


@pytest.mark.parametrize("status", [429, 502, 503])
def test_proxy_that_can_not_connect_for_now_raises_a_transient_error(
    host: Host, status: int
) -> None:
    host.status = status
    with pytest.raises(requests.exceptions.ProxyError) as caught:
        through(host).get("https://org.invented.example/path")
    told = failure_reason(caught.value)
    assert told.startswith(f"The proxy does not connect to org.invented.example (HTTP {status}")


def test_address_with_a_number_is_not_read_as_a_status_of_the_proxy() -> None:
    with serving(Host()) as away:
        made = through(away)
    with pytest.raises(requests.exceptions.ProxyError):
        made.get("https://org407.invented.example/accounts(407)")


def test_cookie_of_an_answer_is_not_sent_back(host: Host) -> None:
    made = session()
    for _ in range(2):
        made.get(host.url)
    assert all("Cookie" not in headers for headers in host.headers)
    assert all("tap-dynamics365/" in headers["User-Agent"] for headers in host.headers)


def test_password_in_netrc_is_not_sent(
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


def test_connection_that_ends_is_reported_without_the_layers_of_requests() -> None:
    with serving(Host()) as host:
        address = f"{host.url}/api?secret=1"
    with pytest.raises(requests.ConnectionError) as caught:
        session().get(address)
    assert failure_reason(caught.value) == f"ConnectionError at 127.0.0.1:{host.port}."
    assert failure_reason(requests.ReadTimeout()) == "No response in time."
    # If the body is cut off, requests does not name the host.
    assert failure_reason(requests.ConnectionError()) == "ConnectionError."
