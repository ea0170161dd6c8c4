"""Certificates are verified, and what verifies them can be named, but not switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import tls
from tests.singer import EXECUTABLE, FORKED, Tap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client import Sandbox
    from tests.servers.tls import TlsFront

TOKEN = "a-token-that-is-not-good"  # noqa: S105 - invented
# What has switched verification off in one program or another.
SWITCHES = [
    {},
    {"REQUESTS_CA_BUNDLE": ""},
    {"CURL_CA_BUNDLE": ""},
    {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "", "PYTHONHTTPSVERIFY": "0"},
]


@pytest.fixture(scope="module")
def front(sandbox: Sandbox) -> Iterator[TlsFront]:
    """The service behind TLS, with a certificate of an authority that nobody knows."""
    with tls.running(sandbox.url) as front:
        yield front


def tap(front: TlsFront, environment: dict[str, str], **settings: object) -> Tap:
    """The tap on its way to the service."""
    reached = {"service_url": f"{front.url}/api/data/v9.2/", "access_token": TOKEN}
    command = EXECUTABLE if "PYTHONHTTPSVERIFY" in environment else FORKED
    return Tap({**reached, **settings}, environment, command)


@pytest.mark.parametrize("environment", SWITCHES)
def test_a_certificate_of_nobody_is_not_trusted(
    front: TlsFront, service: Sandbox, environment: dict[str, str]
) -> None:
    run = tap(front, environment).run("--discover")
    assert "can't be trusted" in run.refusal()
    assert "REQUESTS_CA_BUNDLE" in run.refusal()
    assert TOKEN not in run.log
    assert not service.requests()


@pytest.mark.parametrize("name", ["verify", "ssl_verify", "verify_ssl", "insecure"])
def test_settings_of_other_taps_do_not_switch_it_off(front: TlsFront, name: str) -> None:
    run = tap(front, {}, **{name: name == "insecure"}).run("--discover")
    assert "can't be trusted" in run.refusal()


def test_an_authority_that_is_named_is_trusted(front: TlsFront, service: Sandbox) -> None:
    # The service is reached: it is it that refuses the token.
    environment = {"REQUESTS_CA_BUNDLE": str(front.authority)}
    assert "401" in tap(front, environment).run("--discover").refusal()
    assert service.requests()
