"""NTLM sign-in: failed handshakes and concurrent threads."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from tap_dynamics365.connection import connect
from tap_dynamics365.errors import ServiceError, SignInError
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers.front import Answering, serving
from tests.servers.ntlm import DOMAIN, PASSWORD, USER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_dynamics365.odata.client import ODataClient
    from tests.auth.flows import Servers

THREADS = 8


@contextmanager
def asking(*challenges: str) -> Iterator[str]:
    """Serve these challenges with status 401, the last one repeatedly; yield the service URL."""
    left = list(challenges)

    class Handler(Answering):
        @override
        def serve(self) -> None:
            self.answer(401, [("WWW-Authenticate", left[0])], b"")
            del left[: len(left) > 1]

    with serving(Handler) as server:
        yield f"http://127.0.0.1:{server.server_port}/api/data/v9.2/"


def service(url: str) -> ODataClient:
    """Open a service with the NTLM settings."""
    config = {
        "service_url": url,
        "authentication_method": "NTLM",
        "ntlm_domain": DOMAIN,
        "user": USER,
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


def test_concurrent_threads_sign_in_with_ntlm_independently(servers: Servers) -> None:
    """NTLM authenticates a connection, so that threads must not share one."""
    connection = service(f"{servers.ntlm}/api/data/v9.2/")
    paths = ["WhoAmI", "teams?$select=teamid&$top=1"] * THREADS * 2
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda path: connection.get(path).json(), paths))
    assert all("UserId" in answer for answer in answers[::2])
    assert all(len(answer["value"]) == 1 for answer in answers[1::2])
