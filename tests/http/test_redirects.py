"""Redirects: followed only on the origin of service_url, with the same token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tap_dynamics365.connection import connect
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.settings import JSON_SCHEMA, Settings
from tests.servers.scripted import answer, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tap_dynamics365.odata.client import ODataClient
    from tests.servers.scripted import Scripted

TOKEN = "an-invented-token"  # noqa: S105 - it says so
PAGE = json.dumps({"value": []}).encode()
STATUSES = [301, 302, 303, 307, 308]


@pytest.fixture(autouse=True)
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password for every host, as users of curl or git may have."""
    file = tmp_path / "netrc"
    file.write_text("default login someone password invented-password\n")
    monkeypatch.setenv("NETRC", str(file))


def service(server: Scripted, host: str = "127.0.0.1") -> ODataClient:
    """Connect to a server."""
    config = {"service_url": f"http://{host}:{server.port}/api/data/v9.2/", "access_token": TOKEN}
    return connect(Settings.from_config(config, JSON_SCHEMA)).client


def redirect(location: str, status: int = 302) -> bytes:
    """Build a redirect."""
    return answer(b"", status, Location=location)


def authorizations(server: Scripted) -> list[str]:
    """Return the authorization of each request that has one."""
    return [
        line.partition(": ")[2]
        for request in server.requests
        for line in request.decode().splitlines()
        if line.lower().startswith("authorization:")
    ]


@pytest.mark.parametrize("status", STATUSES)
def test_redirect_on_the_same_origin_is_followed_with_the_token(status: int) -> None:
    with serving(redirect("/api/data/v9.2/accounts()?a=b", status), answer(PAGE)) as server:
        assert service(server).get("accounts").content == PAGE
    assert server.asked == ["GET /api/data/v9.2/accounts", "GET /api/data/v9.2/accounts()?a=b"]
    assert authorizations(server) == [f"Bearer {TOKEN}"] * 2


def test_redirect_with_another_spelling_of_the_origin_is_followed() -> None:
    with serving(answer(PAGE)) as server:
        server.script.insert(0, redirect(f"HTTP://LocalHost:{server.port}/elsewhere"))
        assert service(server, "localhost").get("accounts").content == PAGE
    assert authorizations(server) == [f"Bearer {TOKEN}"] * 2


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:{port}/login?wctx=a-secret-of-the-host",
        "http://127.0.0.1:{other}/login?wctx=a-secret-of-the-host",
        "https://127.0.0.1:{port}/login",
        "//localhost:{port}/login",
        "http://127.0.0.1:{port}@localhost:{other}/login",
        "http://[::1/login",
        "http://127.0.0.1:99999/login",
    ],
)
def test_redirect_to_another_origin_is_not_followed_and_reported(location: str) -> None:
    with serving(answer(PAGE)) as elsewhere, serving(answer(PAGE)) as server:
        server.script.insert(0, redirect(location.format(port=server.port, other=elsewhere.port)))
        with pytest.raises(ServiceError) as caught:
            service(server).get("accounts")
    assert len(server.asked) == 1
    assert not elsewhere.asked
    for words in ("302", "/api/data/v9.2/accounts", "redirects to", "service_url"):
        assert words in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("status", [301, 302, 303])
def test_redirect_that_would_turn_a_batch_into_a_get_is_not_followed(status: int) -> None:
    with serving(redirect("/api/data/v9.2/other", status), answer(PAGE)) as server:
        with pytest.raises(ServiceError, match="redirects"):
            send_batch(server)
        assert server.asked == ["POST /api/data/v9.2/$batch"]


@pytest.mark.parametrize("status", [307, 308])
def test_redirect_that_keeps_the_method_sends_the_batch_again(status: int) -> None:
    with serving(redirect("/api/data/v9.2/other", status), answer(PAGE)) as server:
        send_batch(server)
    assert server.asked == ["POST /api/data/v9.2/$batch", "POST /api/data/v9.2/other"]
    for header in (b"content-length: 8", b"content-type: multipart/mixed; boundary=b"):
        assert all(header in request.lower() for request in server.requests)


def send_batch(server: Scripted) -> bytes:
    """Send a batch."""
    batch = ("multipart/mixed; boundary=b", b"the body")
    return service(server).read("$batch", lambda response: response.content, batch=batch)
