"""Failed sign-ins, as the log reports them: one sentence with advice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.auth import flows
from tests.auth.flows import assert_complete
from tests.servers import tokens
from tests.servers.certificate import make
from tests.tap import reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from tests.auth.flows import Flow, Servers
    from tests.tap import Message

GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Error codes that users meet, each with a word that the advice contains.
CODES = {
    50053: "wait",
    50076: "dynamics365 login",
    50079: "dynamics365 login",
    50173: "dynamics365 login",
    53003: "administrator",
    65001: "consent",
    70000: "refresh_token",
    70008: "dynamics365 login",
    70043: "dynamics365 login",
    90002: "token_uri",
    500011: "service_url",
    700016: "client_id",
    700024: "clock",
    700025: "client_secret",
    700027: "client_certificate",
    700082: "dynamics365 login",
    700084: "single-page",
    7000215: "client_secret",
    7000218: "client_secret",
    7000222: "client_secret",
}
# Switches of the sandbox, each with the error code and a word that the advice contains.
UNKNOWN_CALLERS = {
    "not_a_member": ("0x80072560", "application user"),
    "disabled_user": ("0x80040225", "disabled"),
}
TRANSIENT: dict[str, dict[str, Any]] = {
    "throttled": {"status": 429, "body": {"error": "slow_down"}},
    "unavailable": {"status": 503},
    "broken": {"status": 500},
    "gateway": {"status": 502, "body": "<html>Bad gateway</html>"},
    "cut-off": {"drop": True},
}


@pytest.mark.parametrize("code", CODES)
def test_error_code_of_the_sign_in_host_is_reported_with_advice(
    servers: Servers, dynamics: Sandbox, code: int
) -> None:
    dynamics.refuse_sign_in(code)
    run = flows.refresh_token(servers).tap.run("--discover")
    sentence = run.refusal()
    assert f"AADSTS{code}: Refused, as ordered." in sentence
    assert CODES[code] in sentence
    assert re.search(f"Correlation ID: {GUID}", sentence)
    assert "Timestamp" not in sentence
    assert not run.output
    assert len(dynamics.requests()) == 1


def test_sync_without_sign_in_writes_nothing_to_stdout(
    servers: Servers, one_table: Message
) -> None:
    flow = flows.client_secret(servers).but(client_id="another")
    run = flow.tap.run(catalog=one_table)
    assert "AADSTS700016" in run.refusal()
    assert not run.output


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT.keys())
def test_transient_failure_of_the_sign_in_host_is_retried(
    servers: Servers, dynamics: Sandbox, one_table: Message, fault: dict[str, Any]
) -> None:
    dynamics.fault("/token", retry_after="0", **fault)
    run = flows.certificate_in_a_file(servers).tap.run(catalog=one_table)
    assert run.counts == {"team": flows.ROWS}, run.log
    assert any("Trying again" in line for line in run.logged("WARNING"))


def test_transient_error_code_of_the_sign_in_host_is_retried(
    servers: Servers, dynamics: Sandbox, one_table: Message
) -> None:
    dynamics.refuse_sign_in(90033, "temporarily_unavailable", retry_after="0")
    run = flows.refresh_token(servers).tap.run(catalog=one_table)
    assert run.counts == {"team": flows.ROWS}, run.log
    assert any("AADSTS90033" in line for line in run.logged("WARNING"))


def test_web_page_in_place_of_an_answer_is_reported_as_one(
    servers: Servers, dynamics: Sandbox, one_table: Message
) -> None:
    flow = flows.refresh_token(servers)
    for path in ("/token", "teams"):
        dynamics.fault(path, html=True)
        assert "web page" in flow.tap.run(catalog=one_table).refusal()
        dynamics.clear_faults()


@pytest.mark.parametrize("switch", UNKNOWN_CALLERS)
def test_caller_unknown_to_the_service_is_told_what_to_set_up(
    servers: Servers, dynamics: Sandbox, one_table: Message, switch: str
) -> None:
    code, words = UNKNOWN_CALLERS[switch]
    dynamics.configure(**{switch: True})
    flow = flows.client_secret(servers)
    for run in (flow.tap.run(catalog=one_table), flow.tap.run("--discover")):
        sentence = run.refusal()
        assert code in sentence
        assert words in sentence


@pytest.mark.parametrize(
    "flow", [flows.given_access_token, flows.client_secret], ids=lambda flow: flow.__name__
)
def test_access_token_of_another_environment_is_reported(
    servers: Servers, one_table: Message, flow: Callable[[Servers], Flow]
) -> None:
    other = "https://another-org.crm.dynamics.com"
    given = (
        {"access_token": tokens.access_token(servers.sandbox, other)}
        if flow is flows.given_access_token
        else {"scope": f"{other}/.default"}
    )
    sentence = flow(servers).but(**given).tap.run(catalog=one_table).refusal()
    assert "another-org.crm.dynamics.com" in sentence
    assert "service_url" in sentence


def test_access_token_that_has_expired_is_reported(
    servers: Servers, dynamics: Sandbox, one_table: Message
) -> None:
    dynamics.configure(token_lifetime=-60)
    sentence = flows.given_access_token(servers).tap.run(catalog=one_table).refusal()
    assert "expired at" in sentence
    assert "access_token" in sentence


def test_ntlm_credentials_that_are_wrong_are_reported(servers: Servers, one_table: Message) -> None:
    flow = flows.ntlm_sign_in(servers)
    for given in ({"password": "wrong"}, {"user": "nobody"}, {"ntlm_domain": "ELSEWHERE"}):
        sentence = flow.but(**given).tap.run(catalog=one_table).refusal()
        assert "ntlm_domain" in sentence
        assert "password" in sentence


def test_certificate_that_is_not_registered_is_reported(
    servers: Servers, one_table: Message
) -> None:
    flow = flows.certificate_in_the_settings(servers).but(client_certificate=make().with_key())
    sentence = flow.tap.run(catalog=one_table).refusal()
    assert "AADSTS700027" in sentence
    assert "Certificates & secrets" in sentence


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"client_certificate_password": "wrong"}, "client_certificate_password"),
        ({"client_certificate_password": None}, "client_certificate_password"),
        ({"client_certificate": "/nowhere/certificate.pem"}, "client_certificate"),
        ({"client_certificate": make().pem}, "private key"),
    ],
    ids=["wrong-passphrase", "no-passphrase", "no-file", "no-key"],
)
def test_certificate_that_is_unusable_is_reported(
    servers: Servers, one_table: Message, given: dict[str, str | None], words: str
) -> None:
    flow = flows.certificate_in_a_file(servers).but(**given)
    assert words in flow.tap.run(catalog=one_table).refusal()


OUTSIDE_OAUTH: dict[str, dict[str, Any]] = {
    "a web page": {"html": True},
    "a missing route": {
        "status": 404,
        "body": "no healthy upstream",
        "headers": {"Content-Type": "text/plain"},
    },
    "a refusal in HTML": {
        "status": 400,
        "body": "<html>Bad Request</html>",
        "headers": {"Content-Type": "text/html"},
    },
    "a gateway's own refusal": {
        "status": 403,
        "body": {"error": {"code": "Blocked", "message": "Come back."}},
    },
    "another object": {"status": 200, "body": {"maintenance": True}},
    "no object": {"status": 200, "body": []},
}
RENEWING = [
    *((flows.client_secret, answer) for answer in OUTSIDE_OAUTH),
    (flows.workload_identity, "a web page"),
]


@pytest.mark.parametrize(
    ("flow", "answer"), RENEWING, ids=lambda each: getattr(each, "__name__", each)
)
def test_answer_outside_oauth_during_a_run_is_retried(
    servers: Servers,
    dynamics: Sandbox,
    one_table: Message,
    flow: Callable[[Servers], Flow],
    answer: str,
) -> None:
    ready = flow(servers)
    dynamics.configure(page_size_cap=3)
    dynamics.fault("teams.*skiptoken", status=401)
    dynamics.fault("/token", method="POST", skip=1, **OUTSIDE_OAUTH[answer])
    run = ready.tap.run(catalog=one_table)
    assert (run.status, run.counts) == (0, {"team": flows.ROWS}), run.log
    assert dynamics.hits() == [1, 1]


@pytest.mark.parametrize("answer", OUTSIDE_OAUTH)
def test_answer_outside_oauth_at_the_first_sign_in_ends_the_run(
    servers: Servers, dynamics: Sandbox, one_table: Message, answer: str
) -> None:
    dynamics.fault("/token", method="POST", count=None, **OUTSIDE_OAUTH[answer])
    run = flows.client_secret(servers).tap.run(catalog=one_table)
    assert run.refusal()
    assert dynamics.hits() == [1]


def test_azure_credentials_that_are_missing_are_reported(
    servers: Servers, dynamics: Sandbox, one_table: Message
) -> None:
    flow = flows.workload_identity(servers)
    dynamics.refuse_sign_in(700213, "invalid_client", 401)
    assert "AADSTS700213" in flow.tap.run(catalog=one_table).refusal()
    Path(flow.tap.environment["AZURE_FEDERATED_TOKEN_FILE"]).unlink()
    assert "azure_credential" in flow.tap.run(catalog=one_table).refusal()
    flow = flows.azure_command_line(servers).but(service_url="https://another-org.example/api/")
    assert "azure_credential" in flow.tap.run(catalog=one_table).refusal()


def test_stored_token_that_is_refused_is_replaced_by_the_configured_one(
    servers: Servers, dynamics: Sandbox, one_table: Message
) -> None:
    flow = flows.refresh_token_with_a_store(servers)
    assert_complete(flow.tap.run(catalog=one_table))
    dynamics.clear_requests()
    dynamics.refuse_sign_in(70008)
    run = flow.tap.run(catalog=one_table)
    assert run.counts == {"team": flows.ROWS}, run.log
    assert any("AADSTS70008" in line for line in run.logged("WARNING"))
    assert len(dynamics.requests()) - len(reads(dynamics.requests())) == 2
    dynamics.refuse_sign_in(70008, count=2)
    assert "AADSTS70008" in flow.tap.run(catalog=one_table).refusal()


def test_token_store_that_is_damaged_is_reported_and_replaced(
    servers: Servers, one_table: Message
) -> None:
    flow = flows.refresh_token_with_a_store(servers)
    store = Path(flow.tap.settings["token_store"])
    store.write_text("{")
    run = flow.tap.run(catalog=one_table)
    assert run.counts == {"team": flows.ROWS}, run.log
    assert any("damaged" in line for line in run.logged("WARNING"))
    assert_complete(flow.tap.run(catalog=one_table))
    store.write_text("{")
    assert "damaged" in flow.but(refresh_token=None).tap.run(catalog=one_table).refusal()


def test_token_store_that_can_not_be_written_is_reported_and_the_run_continues(
    servers: Servers, one_table: Message
) -> None:
    folder = Path(servers.new_store())
    folder.mkdir()
    run = (
        flows.refresh_token_with_a_store(servers)
        .but(token_store=str(folder))
        .tap.run(catalog=one_table)
    )
    assert run.counts == {"team": flows.ROWS}, run.log
    assert any("token_store" in line for line in run.logged("WARNING"))
