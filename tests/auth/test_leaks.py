"""Secrets in the output: each flow and each failure runs at level DEBUG, and is searched."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest

from tests.auth import flows
from tests.auth.searching import ends, found
from tests.servers.tokens import access_token
from tests.tap import SECONDS, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from tests.auth.flows import Flow, Servers
    from tests.tap import Message

DEBUG = {"TAP_DYNAMICS365_LOGLEVEL": "DEBUG", "LOGLEVEL": "DEBUG"}
# Values of servers that do not belong in a log: the affinity cookie and an NTLM message.
VALUES_OF_SERVERS = ("5a" * 32, "TlRMTVNTUAA")
# A secret with characters that are encoded in a URL, a header, a form or a log.
AWKWARD = "invented+secret/with=öl&%20and \"quotes\" 'too' {and} \\n %s for €5"


@dataclass
class RecordedFlow:
    """A flow, run at level DEBUG, and all its output.

    Args:
        flow: The flow.
        output: The texts that it has written so far.
    """

    flow: Flow
    output: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Set the log level to DEBUG."""
        tap = self.flow.tap
        tap = replace(tap, environment={**tap.environment, **DEBUG})
        self.flow = replace(self.flow, tap=tap)

    def run(self, *arguments: str, **files: Message | None) -> Run:
        """Run the tap, and record its output and its command line."""
        with TemporaryDirectory() as folder:
            process = self.flow.tap.start(Path(folder), *arguments, **files)
            self.output.append(" ".join(process.args))  # every user of the machine can read it
            output, log = process.communicate(timeout=SECONDS)
        run = Run(process.returncode, output.decode(), log.decode())
        self.output += [run.output, run.log]
        return run

    def run_until(self, words: str, **files: Message | None) -> None:
        """Run the tap until its log contains these words, then terminate it as a scheduler does."""
        with TemporaryDirectory() as folder:
            process = self.flow.tap.start(Path(folder), **files)
            log = b""
            for line in process.stderr or ():
                log += line
                if words.encode() in line:
                    break
            process.terminate()
            output, rest = process.communicate(timeout=SECONDS)
        assert words.encode() in log, log.decode()
        self.output += [output.decode(), (log + rest).decode()]

    def leaks(self) -> set[str]:
        """Find secrets in the output: those of the settings and those that servers issued."""
        issued = self.flow.sandbox.issued()
        secrets = {*self.flow.secrets, *issued, *VALUES_OF_SERVERS}
        secrets |= {end for token in issued for end in ends(token)}
        store = Path(self.flow.tap.settings.get("token_store", "/nowhere"))
        if store.is_file():
            secrets.add(json.loads(store.read_text())["refresh_token"])
        return found(secrets, *self.output)


@pytest.mark.parametrize(
    "flow", [*flows.SANDBOX_FLOWS, *flows.OIDC_FLOWS], ids=lambda flow: flow.__name__
)
def test_secret_of_each_flow_is_not_in_the_output(
    servers: Servers, one_table: Message, flow: Callable[[Servers], Flow]
) -> None:
    recorded = RecordedFlow(flow(servers))
    run = recorded.run(catalog=one_table)
    assert run.status == 0, run.log
    assert "DEBUG" in run.log
    assert recorded.run("--discover").status == 0
    assert recorded.run(catalog=one_table, state=run.state).status == 0
    assert recorded.run("--about", "--format=json").status == 0
    recorded.output += [file.read_text() for file in servers.folder.glob("arguments")]
    assert not recorded.leaks()


FAULTS: dict[str, dict[str, Any]] = {
    "sign-in-refused": {"path": "/token", "status": 400, "body": {"error": "invalid_grant"}},
    "sign-in-fails": {"path": "/token", "status": 400, "body": "{"},
    "sign-in-leads-elsewhere": {
        "path": "/token",
        "status": 302,
        "headers": {"Location": "http://127.0.0.1:9/elsewhere"},
        "body": "",
    },
    "sign-in-is-a-web-page": {"path": "/token", "html": True},
    "sign-in-is-cut-off": {"path": "/token", "truncate": True, "count": 1},
    "sign-in-is-busy": {"path": "/token", "status": 503, "retry_after": "0", "count": 2},
    "answer-without-access-token": {
        "path": "/token",
        "status": 200,
        "body": {"refresh_token": "invented-refresh-token-of-an-odd-host"},
    },
    "service-refuses": {"path": "/api/data", "status": 401},
    "service-forbids": {"path": "/api/data", "status": 403},
    "service-is-a-web-page": {"path": "/api/data", "html": True},
    "service-breaks-off": {"path": "/api/data", "truncate": True, "count": 1},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize(
    "flow",
    [
        flows.refresh_token_with_a_store,
        flows.certificate_in_the_settings,
        flows.workload_identity,
        flows.discovered_tenant,
    ],
    ids=lambda flow: flow.__name__,
)
def test_secret_of_a_failed_flow_is_not_in_the_output(
    servers: Servers,
    dynamics: Sandbox,
    one_table: Message,
    flow: Callable[[Servers], Flow],
    fault: dict[str, Any],
) -> None:
    recorded = RecordedFlow(flow(servers))
    dynamics.fault(**{"count": None, **fault})
    recorded.run(catalog=one_table)
    assert all(dynamics.hits()), recorded.output[-1]
    assert not recorded.leaks()
    assert not found(["invented-refresh-token-of-an-odd-host"], *recorded.output)


@pytest.mark.parametrize("path", ["/token", "/api/data"])
@pytest.mark.parametrize(
    # The web server that asks for NTLM would repeat its own token, which the tap never sees.
    "flow",
    [flow for flow in flows.SANDBOX_FLOWS if flow is not flows.ntlm_sign_in],
    ids=lambda flow: flow.__name__,
)
def test_secret_repeated_by_a_host_is_not_in_the_output(
    servers: Servers,
    dynamics: Sandbox,
    one_table: Message,
    flow: Callable[[Servers], Flow],
    path: str,
) -> None:
    """Some gateways include the request that they refuse in their answer."""
    recorded = RecordedFlow(flow(servers))
    dynamics.fault(path, echo=True, count=None)
    recorded.run(catalog=one_table)
    assert not recorded.leaks()


WRONG: dict[str, tuple[Callable[[Servers], Flow], dict[str, Any]]] = {
    "client-secret": (flows.client_secret, {"client_secret": AWKWARD}),
    "refresh-token": (flows.refresh_token, {"refresh_token": AWKWARD}),
    "access-token": (flows.given_access_token, {"access_token": AWKWARD}),
    "access-token-of-two-lines": (flows.given_access_token, {"access_token": "invented\nsecret-2"}),
    "password": (flows.ntlm_sign_in, {"password": AWKWARD}),
    "proxy-password": (flows.through_a_proxy, {"proxy_password": AWKWARD}),
    "proxy-password-of-a-tunnel": (flows.discovered_tenant, {"proxy_password": AWKWARD}),
    "proxy-that-is-not-there": (flows.discovered_tenant, {"proxy_port": 9}),
    "passphrase": (flows.certificate_in_a_file, {"client_certificate_password": AWKWARD}),
    "certificate-as-a-path": (flows.certificate_in_a_file, {"client_certificate": AWKWARD}),
    "certificate-cut-off": (
        flows.certificate_in_a_file,
        {"client_certificate": "-----BEGIN PRIVATE KEY-----\ninvented-key-that-is-none-at-all"},
    ),
    "connection-url": (
        flows.connection_url,
        {"connection_url": "jdbc:datadirect:dynamics365:Password=invented-pass;User=;;=;"},
    ),
    "number-for-a-secret": (flows.refresh_token, {"refresh_token": 314_159_265_358_979}),
    "list-for-a-secret": (flows.client_secret, {"client_secret": ["invented-list-of-one"]}),
    "address-with-password": (
        flows.client_secret,
        {"token_uri": "https://invented-user:invented-password-in-an-address@host/token"},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_secret_that_is_wrong_is_not_in_the_output(
    servers: Servers, dynamics: Sandbox, one_table: Message, name: str
) -> None:
    flow, given = WRONG[name]
    recorded = RecordedFlow(flow(servers).but(**given))
    own = {str(value) for value in given.values() if len(str(value)) > len("another")}
    own |= {"invented-password-in-an-address", "invented-list-of-one", "invented-pass;"}
    dynamics.fault("/token", status=503, retry_after="0")
    if name == "proxy-that-is-not-there":
        recorded.run_until("Trying again", catalog=one_table)
    else:
        assert recorded.run(catalog=one_table).status == 1
    assert not recorded.leaks() | found(own, *recorded.output)


def test_secret_of_azure_that_is_refused_is_not_in_the_output(
    servers: Servers, one_table: Message
) -> None:
    flow = flows.managed_identity(servers)
    wrong = {**flow.tap.environment, "IDENTITY_HEADER": AWKWARD}
    recorded = RecordedFlow(replace(flow, tap=replace(flow.tap, environment=wrong)))
    assert recorded.run(catalog=one_table).status == 1
    assert not recorded.leaks()


def test_secret_in_a_damaged_token_store_is_not_in_the_output(
    servers: Servers, one_table: Message
) -> None:
    flow = flows.refresh_token_with_a_store(servers)
    store = Path(flow.tap.settings["token_store"])
    content = '{"refresh_token": "invented-token-in-a-damaged-store", "client_id": '
    for damaged in (content, content + "1}", content + '"x", "secret": "also-invented-here"}'):
        for configured in (flow.tap.settings["refresh_token"], None):
            store.write_text(damaged)
            recorded = RecordedFlow(flow.but(refresh_token=configured))
            recorded.run(catalog=one_table)
            hidden = {"invented-token-in-a-damaged-store", "also-invented-here"}
            assert not found(hidden | flow.secrets, *recorded.output)


def test_secret_in_a_variable_is_not_in_the_output(servers: Servers, one_table: Message) -> None:
    flow = flows.refresh_token(servers)
    names = {f"TAP_DYNAMICS365_{name.upper()}": v for name, v in flow.tap.settings.items()}
    names["TAP_DYNAMICS365_TABLES"] = '["team"]'
    given = replace(flow.tap, settings={}, environment=names)
    for secret in ("client_secret", "refresh_token"):
        wrong = replace(given, environment={**names, f"TAP_DYNAMICS365_{secret.upper()}": "wrong"})
        for tap in (given, wrong):
            recorded = RecordedFlow(replace(flow, tap=tap, more=tuple(flow.secrets)))
            recorded.run("--config=ENV", catalog=one_table)
            recorded.run("--config=ENV", "--test")
            assert not recorded.leaks()


def test_secret_of_a_terminated_run_is_not_in_the_output(
    servers: Servers, dynamics: Sandbox, one_table: Message
) -> None:
    recorded = RecordedFlow(flows.refresh_token_with_a_store(servers))
    dynamics.fault("teams", status=503, retry_after="600")
    recorded.run_until("Trying again", catalog=one_table)
    assert not recorded.leaks()


@pytest.mark.parametrize(
    "write",
    [
        str,
        quote,
        lambda secret: urlencode({"client_secret": secret}),
        lambda secret: json.dumps({"token": secret}),
        lambda secret: repr({"token": secret}),
        lambda secret: base64.b64encode(secret.encode()).decode(),
        lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
        lambda secret: base64.b64encode(f"user:{secret}".encode()).decode(),
        lambda secret: base64.b64encode(f"me:{secret}\nand more".encode()).decode(),
        lambda secret: base64.b64encode(f"a:{secret}!".encode()).decode(),
        lambda secret: secret.encode().hex(),
    ],
)
@pytest.mark.parametrize("secret", [AWKWARD, "sandbox-secret-not-real", "invented-password?~"])
def test_search_finds_a_secret_in_each_encoding(secret: str, write: Callable[[str], str]) -> None:
    line = f"2026-01-31 08:00:00 | DEBUG | urllib3 | header: {write(secret)} (sent)"
    assert found([secret], "nothing here", line)
    assert not found([secret], "nothing here", line.replace(write(secret), "nothing"))


def test_search_finds_a_token_that_the_tap_writes(servers: Servers, one_table: Message) -> None:
    """A stream map makes the tap write its access token into a column."""
    token = access_token(servers.sandbox, servers.sandbox.url)
    flow = flows.given_access_token(servers).but(access_token=token)
    recorded = RecordedFlow(flow.but(stream_maps={"team": {"planted": f"'{token}'"}}))
    assert recorded.run(catalog=one_table).status == 0
    assert token in recorded.leaks()
