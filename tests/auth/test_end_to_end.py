"""Each grant from the settings to the rows, with the tap as a process."""

from __future__ import annotations

import json
import stat
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from sandbox.identity.person import ACCOUNT
from tests.auth import flows
from tests.auth.flows import account_lines, assert_complete
from tests.servers import tls
from tests.tap import FORKED, PLAIN, reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from tests.auth.flows import Flow, Servers
    from tests.tap import Message, Tap


@pytest.mark.parametrize("flow", flows.SANDBOX_FLOWS, ids=lambda flow: flow.__name__)
def test_grant_extracts_all_rows(
    servers: Servers, one_table: Message, flow: Callable[[Servers], Flow]
) -> None:
    run = flow(servers).tap.run(catalog=one_table)
    assert_complete(run)
    expected = flows.ACCOUNT_LINES[flow].format(
        person=ACCOUNT, app=servers.sandbox.settings["client_id"]
    )
    assert account_lines(run) == [expected]


def test_account_of_a_sign_in_is_logged_once_without_a_request(
    servers: Servers, dynamics: Sandbox, one_table: Message
) -> None:
    """Access tokens that last one second are renewed several times."""
    dynamics.configure(token_lifetime=1, page_size_cap=2)
    flow = flows.refresh_token_with_a_store(servers)
    assert len(account_lines(flow.tap.run(catalog=one_table))) == 1
    stored = flow.but(refresh_token=None)
    dynamics.clear_requests()
    (line,) = account_lines(stored.tap.run("--discover"))
    assert line == f"Signed in as {ACCOUNT} with the refresh token in token_store."
    assert not [request for request in dynamics.requests() if "WhoAmI" in request["path"]]


def test_account_of_a_failed_sign_in_is_not_logged(
    servers: Servers, dynamics: Sandbox, one_table: Message
) -> None:
    dynamics.fault("/token", status=400, count=None)
    assert not account_lines(flows.refresh_token(servers).tap.run(catalog=one_table))


@pytest.mark.parametrize(
    "flow",
    [
        flows.refresh_token,
        flows.client_secret,
        flows.certificate_in_a_file,
        flows.managed_identity,
        flows.azure_command_line,
        flows.discovered_tenant,
    ],
    ids=lambda flow: flow.__name__,
)
def test_access_token_that_is_refused_during_a_run_is_renewed_once(
    servers: Servers, dynamics: Sandbox, one_table: Message, flow: Callable[[Servers], Flow]
) -> None:
    ready = flow(servers)
    dynamics.configure(page_size_cap=3)
    refused = {"error": {"code": "0x80048d06", "message": "Refused, as ordered."}}
    dynamics.fault("teams.*skiptoken", status=401, body=refused)
    assert_complete(ready.tap.run(catalog=one_table))
    dynamics.fault("teams.*skiptoken", status=401, body=refused, count=2)
    sentence = ready.tap.run(catalog=one_table).refusal()
    assert "401" in sentence
    assert "Refused, as ordered." in sentence


@pytest.mark.parametrize(
    "flow", [flows.refresh_token, flows.certificate_in_a_file], ids=lambda flow: flow.__name__
)
def test_access_tokens_that_last_one_second_suffice_for_a_whole_run(
    servers: Servers, dynamics: Sandbox, one_table: Message, flow: Callable[[Servers], Flow]
) -> None:
    ready = flow(servers)
    dynamics.configure(token_lifetime=1, page_size_cap=2)
    assert_complete(ready.tap.run(catalog=one_table))


def test_request_of_any_kind_goes_through_the_proxy(servers: Servers, dynamics: Sandbox) -> None:
    flow = flows.through_a_proxy(servers)
    before = len(servers.proxy.seen())
    catalog = flow.tap.discover()
    flow.tap.sync(catalog=catalog)
    seen = servers.proxy.seen()[before:]
    assert seen == [f"{r['method']} {dynamics.url}{r['path']}" for r in dynamics.requests()]
    urls = " ".join(seen)
    for part in ("/token", "$metadata", "RetrieveMetadataChanges", "/teams"):
        assert part in urls


def test_microsofts_hosts_are_reached_only_through_the_proxy(
    servers: Servers, one_table: Message
) -> None:
    before = len(servers.proxy.seen())
    assert_complete(flows.discovered_tenant(servers).tap.run(catalog=one_table))
    hosts = {f"CONNECT {host}:443" for host in (tls.SERVICE_HOST, tls.SIGN_IN_HOST)}
    assert set(servers.proxy.seen()[before:]) == hosts


@pytest.mark.parametrize(
    "flow", [flows.through_a_proxy, flows.discovered_tenant], ids=lambda flow: flow.__name__
)
@pytest.mark.parametrize("given", [{"proxy_password": "wrong"}, {"proxy_user": None}])
def test_proxy_that_refuses_the_user_is_reported(
    servers: Servers,
    dynamics: Sandbox,
    one_table: Message,
    flow: Callable[[Servers], Flow],
    given: dict[str, str | None],
) -> None:
    if "proxy_user" in given:
        given = {**given, "proxy_password": None}
    sentence = flow(servers).but(**given).tap.run(catalog=one_table).refusal()
    assert "proxy_password" in sentence
    assert not dynamics.requests()


@pytest.mark.parametrize(
    "host", ["https://login.microsoftonline.com.invented.example", "https://127.0.0.1", ""]
)
def test_secret_is_not_sent_to_an_unknown_sign_in_host(
    servers: Servers, dynamics: Sandbox, one_table: Message, host: str
) -> None:
    before = dynamics.configure(authority_url=host)
    flow = flows.refresh_token(servers).but(token_uri=None)
    sentence = flow.tap.run(catalog=one_table).refusal()
    dynamics.configure(**before)
    assert "token_uri" in sentence
    assert not [request for request in dynamics.requests() if request["method"] == "POST"]


@pytest.mark.parametrize("name", ["service_url", "token_uri"])
def test_url_without_encryption_to_another_machine_is_refused(
    servers: Servers, one_table: Message, name: str
) -> None:
    flow = flows.refresh_token(servers)
    away = flow.but(**{name: "http://invented-org.crm.dynamics.com/api/data/v9.2/"})
    assert "https" in away.tap.run(catalog=one_table).refusal()


def without_extras(flow: Flow, *command: str) -> Tap:
    """Return the tap of a flow, as it is installed without extras."""
    if not flows.WITHOUT_EXTRAS.exists():
        pytest.skip(f"{flows.WITHOUT_EXTRAS} is not installed: make test does that")
    return replace(flow.tap, command=command)


@pytest.mark.parametrize(
    ("flow", "extra"),
    [
        (flows.certificate_in_a_file, "certificate"),
        (flows.managed_identity, "azure"),
        (flows.ntlm_sign_in, "ntlm"),
    ],
    ids=["certificate", "azure", "ntlm"],
)
def test_extra_that_is_not_installed_is_named_with_the_command(
    servers: Servers, one_table: Message, flow: Callable[[Servers], Flow], extra: str
) -> None:
    sentence = without_extras(flow(servers), str(PLAIN), *FORKED).run(catalog=one_table).refusal()
    assert f'pip install "tap-dynamics365[{extra}]"' in sentence
    assert f"add [{extra}] to pip_url" in sentence


def test_grant_that_needs_no_extra_works_without_extras(
    servers: Servers, one_table: Message
) -> None:
    flow = flows.refresh_token_with_a_store(servers)
    assert_complete(without_extras(flow, str(flows.WITHOUT_EXTRAS)).run(catalog=one_table))


def stored(flow: Flow) -> str:
    """Read the refresh token in the token store."""
    token: str = json.loads(Path(flow.tap.settings["token_store"]).read_text())["refresh_token"]
    return token


def test_newest_refresh_token_is_used_by_the_next_run(
    servers: Servers, dynamics: Sandbox, one_table: Message
) -> None:
    flow = flows.refresh_token_with_a_store(servers)
    kept = []
    for _ in range(3):
        assert_complete(flow.tap.run(catalog=one_table))
        kept.append(stored(flow))
        # The older tokens expire, as they do after 90 days.
        for old in (flow.tap.settings["refresh_token"], *kept[:-1]):
            dynamics.revoke(old, "inactive")
    store = Path(flow.tap.settings["token_store"])
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert len(set(kept)) == 3
    # The stored token alone is enough to sign in.
    assert_complete(flow.but(refresh_token=None).tap.run(catalog=one_table))


def test_run_that_is_killed_has_stored_the_new_token(
    servers: Servers, dynamics: Sandbox, one_table: Message
) -> None:
    """Refresh tokens are for single use, and the process is killed at the first page request."""
    flow = flows.refresh_token_with_a_store(servers)
    dynamics.configure(single_use_refresh_tokens=True)
    dynamics.fault("teams", delay_ms=60_000)
    with TemporaryDirectory() as folder:
        process = flow.tap.start(Path(folder), catalog=one_table)
        while not reads(dynamics.requests()):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.communicate()
    dynamics.clear_faults()
    assert_complete(flow.tap.run(catalog=one_table))
