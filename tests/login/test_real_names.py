"""Sign-in at the names of Microsoft's hosts, with TLS and through a proxy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from tap_dynamics365.auth.access_token import audience
from tests.commands.program import dynamics365
from tests.login.program import address, device_code, press
from tests.servers import proxy, tls
from tests.servers.front import Front, serving
from tests.tap import Tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from sandbox.client import Sandbox
    from tests.login.program import Program
    from tests.servers.proxy import Proxy
    from tests.servers.tls import TlsFront


@pytest.fixture
def sent() -> set[tuple[str, str]]:
    """The hosts to which access tokens were sent, each with the audience of the token."""
    return set()


@pytest.fixture
def hosts(service: Sandbox, sent: set[tuple[str, str]]) -> Iterator[TlsFront]:
    """The sandbox under the names of Microsoft's hosts, in an organisation with a name."""

    class Named(Front):
        upstream = service.url

        @override
        def serve(self) -> None:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if token:
                sent.add((self.headers["Host"], audience(token)))
            if re.search(r"/organizations\([0-9a-f-]{36}\)\?", self.path):
                self.body()
                name = json.dumps({"name": "Litware <Ltd>"}).encode()
                self.answer(200, [("Content-Type", "application/json")], name)
            else:
                self.forward(self.body())

    before = service.configure(authority_url=f"https://{tls.SIGN_IN_HOST}")
    with serving(Named) as named, tls.running(f"http://127.0.0.1:{named.server_port}") as front:
        yield front
    service.configure(**before)


@pytest.fixture
def proxied(hosts: TlsFront) -> Iterator[Proxy]:
    """A proxy with a password, which resolves the names."""
    with proxy.running(ports=hosts.ports) as running:
        yield running


def test_sign_in_at_microsofts_hosts_needs_only_service_url_and_client_id(
    login: Callable[..., Program],
    launch: Callable[..., Browser],
    hosts: TlsFront,
    proxied: Proxy,
    settings: dict[str, Any],
) -> None:
    changed = {"service_url": tls.SERVICE_HOST, "token_uri": None, **proxied.settings}
    program = login(environment=hosts.environment, **changed)
    url = address(program)
    assert url.startswith(f"https://{tls.SIGN_IN_HOST}/")
    assert "&prompt=select_account" in url
    browser = launch(
        f"--host-resolver-rules=MAP {tls.SIGN_IN_HOST}:443 127.0.0.1:{hosts.port}",
        "--ignore-certificate-errors",
    )
    page = browser.new_page()
    page.goto(url)
    press(page, "Sign in")
    assert f"at Litware <Ltd> ({tls.SERVICE_HOST})." in page.inner_text("main")
    browser.close()
    assert program.end() == 0
    assert "Organization: Litware <Ltd>, " in program.shown
    assert f", at {hosts.service_url}." in program.shown
    assert proxied.password not in program.shown
    assert {line.split()[0] for line in proxied.seen()} == {"CONNECT"}
    stored = json.loads(Path(settings["token_store"]).read_text())
    assert stored["authority"] == f"https://{tls.SIGN_IN_HOST}"
    tap = Tap({**settings, **changed}, hosts.environment).but(token_uri=None)
    assert tap.discover()["streams"]


def test_device_code_is_requested_for_a_host_alone(
    login: Callable[..., Program], hosts: TlsFront, proxied: Proxy
) -> None:
    changed = {"service_url": tls.SERVICE_HOST, "token_uri": None, **proxied.settings}
    program = login("--device-code", environment=hosts.environment, **changed)
    program.expect(r"(?m)/devicelogin$")
    program.interrupt()
    program.end()


@pytest.fixture
def known(settings: dict[str, Any], proxied: Proxy) -> dict[str, Any]:
    """The settings without the addresses of the sandbox, which are None."""
    return {**settings, **proxied.settings, "service_url": None, "token_uri": None}


def test_list_leaves_the_stored_token_as_the_tap_needs_it(
    login: Callable[..., Program],
    devices: Sandbox,
    hosts: TlsFront,
    known: dict[str, Any],
    sent: set[tuple[str, str]],
) -> None:
    known["service_url"] = tls.SERVICE_HOST
    program = login("--device-code", environment=hosts.environment, **known)
    devices.approve_device(device_code(program))
    assert program.end() == 0, program.shown
    sent.clear()
    before = devices.configure(single_use_refresh_tokens=True)
    # An endpoint of version 1 takes the resource in each request.
    for token_uri in (None, f"https://{tls.SIGN_IN_HOST}/common/oauth2/token"):
        known["token_uri"] = token_uri
        output = dynamics365("environments", known, environment=hosts.environment)
        assert (output.status, output.log) == (0, "")
        assert output.lines[-1].endswith(f"  https://{tls.LISTED_HOST}")
        assert Tap(known, hosts.environment).discover()["streams"]
    devices.configure(**before)
    # No token went to another host than its own.
    assert sent == {(host, f"https://{host}") for host in (tls.SERVICE_HOST, tls.DISCOVERY_HOST)}


def test_chosen_environment_gets_a_token_of_its_own(
    login: Callable[..., Program],
    devices: Sandbox,
    hosts: TlsFront,
    known: dict[str, Any],
    sent: set[tuple[str, str]],
) -> None:
    folder = Path(known["token_store"]).parent
    arguments = ("--device-code", "--write", "config.json")
    program = login(*arguments, terminal=True, environment=hosts.environment, **known)
    for name, answer in (("service_url", ""), ("token_uri", "common")):
        program.expect(rf"\({name}\): $")
        program.type(answer)
    devices.approve_device(device_code(program))
    program.expect(r"Number of the environment: $")
    program.type("2")
    assert program.end() == 0, program.shown
    assert sent == {(host, f"https://{host}") for host in (tls.LISTED_HOST, tls.DISCOVERY_HOST)}
    written = json.loads((folder / "config.json").read_text())
    assert written["service_url"] == f"https://{tls.LISTED_HOST}/api/data/v9.2/"
    assert Tap({**known, **written}, hosts.environment).discover()["streams"]
