"""NTLM, against servers that do not know it well."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from tap_dynamics365.connection import connect
from tap_dynamics365.errors import ServiceError, SignInError
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.auth import flows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_dynamics365.odata.client import ODataClient
    from tests.auth.flows import Places

PASSWORD = "invented-ntlm-password"  # noqa: S105 - invented, and says so
THREADS = 8


@contextmanager
def asking(*challenges: str) -> Iterator[str]:
    """A server that asks for a sign-in, the last way again and again; gives its address."""
    left = list(challenges)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", left[0])
            self.send_header("Content-Length", "0")
            self.end_headers()
            del left[: len(left) > 1]

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Be silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/data/v9.2/"
        finally:
            server.shutdown()
            thread.join()


def service(url: str) -> ODataClient:
    """Set the connection up."""
    config = {
        "service_url": url,
        "authentication_method": "NTLM",
        "ntlm_domain": "INVENTED",
        "user": "invented-user",
        "password": PASSWORD,
    }
    return connect(Settings.from_config(config, JSON_SCHEMA)).client


@pytest.mark.parametrize(
    "challenge",
    [
        "NTLM",
        "NTLM ",
        "NTLM é",
        "NTLM AAAA",
        f"NTLM {base64.b64encode(b'NTLMSSP' + bytes(60)).decode()}",
    ],
)
def test_ntlm_handshake_that_the_server_does_not_complete_is_reported(challenge: str) -> None:
    with asking("NTLM", challenge) as address, pytest.raises(SignInError) as caught:
        service(address).get("WhoAmI")
    assert "service_url" in caught.value.message
    assert PASSWORD not in caught.value.message


def test_server_without_ntlm_is_reported_with_the_settings() -> None:
    with asking("Bearer authorization_uri=https://x") as address:
        connection = service(address)
        with pytest.raises(ServiceError) as caught:
            connection.get("WhoAmI")
    for name in ("401", "ntlm_domain", "user", "password"):
        assert name in caught.value.message


def test_concurrent_threads_sign_in_with_ntlm_independently(places: Places) -> None:
    """Each on connections of its own: no handshake is broken by another request."""
    connection = service(f"{places.ntlm}/api/data/v9.2/")
    paths = ["WhoAmI", "teams?$select=teamid&$top=1"] * THREADS * 2
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda path: connection.get(path).json(), paths))
    assert all("UserId" in answer for answer in answers[::2])
    assert all(len(answer["value"]) == 1 for answer in answers[1::2])
    assert flows.ntlm_sign_in(places).tap.settings["password"] == PASSWORD
