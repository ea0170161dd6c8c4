"""The tap against oidc-provider, an independent, certified OAuth 2.0 server."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
import requests

from tests.auth import flows
from tests.auth.flows import account_lines, assert_complete
from tests.servers import oauth
from tests.servers.certificate import make
from tests.tap import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.client import Sandbox
    from tests.auth.flows import Flow, Servers
    from tests.tap import Message

pytestmark = pytest.mark.skipif(bool(oauth.unavailable()), reason=oauth.unavailable() or "")

ROTATING = pytest.mark.parametrize(
    "flow",
    [flows.oauth_refresh_token, flows.oauth_refresh_token_of_a_confidential_client],
    ids=["public", "confidential"],
)


@pytest.mark.parametrize("flow", flows.OIDC_FLOWS, ids=lambda flow: flow.__name__)
def test_grant_extracts_all_rows(
    servers: Servers, one_table: Message, flow: Callable[[Servers], Flow]
) -> None:
    run = flow(servers).tap.run(catalog=one_table)
    assert_complete(run)
    assert account_lines(run) == [flows.ACCOUNT_LINES_OF_OPAQUE_TOKENS[flow]]


@ROTATING
def test_refresh_token_of_consecutive_runs_is_used_once(
    servers: Servers, one_table: Message, flow: Callable[[Servers], Flow]
) -> None:
    """At a second use, the server revokes all tokens."""
    ready = flow(servers)
    for _ in range(4):
        assert_complete(ready.tap.run(catalog=one_table))
    assert_complete(ready.but(refresh_token=None).tap.run(catalog=one_table))


@ROTATING
def test_refresh_token_of_concurrent_runs_is_used_once(
    servers: Servers, one_table: Message, flow: Callable[[Servers], Flow]
) -> None:
    ready = flow(servers)
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        running = [ready.tap.start(Path(at), catalog=one_table) for at in (one, other)]
        ended = [process.communicate(timeout=SECONDS) for process in running]
    assert [process.returncode for process in running] == [0, 0], [log for _, log in ended]
    assert_complete(ready.tap.run(catalog=one_table))


@pytest.mark.parametrize("flow", flows.OIDC_FLOWS, ids=lambda flow: flow.__name__)
def test_access_token_that_is_refused_during_a_run_is_renewed_with_unused_credentials(
    servers: Servers, dynamics: Sandbox, one_table: Message, flow: Callable[[Servers], Flow]
) -> None:
    """The server accepts each refresh token and each assertion once."""
    ready = flow(servers)
    dynamics.configure(page_size_cap=3)
    dynamics.fault("teams.*skiptoken", status=401)
    assert_complete(ready.tap.run(catalog=one_table))
    assert_complete(ready.tap.run(catalog=one_table))


def test_rotated_refresh_token_without_a_token_store_is_used_within_the_run(
    servers: Servers, dynamics: Sandbox, one_table: Message
) -> None:
    ready = flows.oauth_refresh_token(servers).but(token_store=None)
    dynamics.configure(page_size_cap=3)
    dynamics.fault("teams.*skiptoken", status=401)
    run = ready.tap.run(catalog=one_table)
    assert_complete(run)
    assert "token_store" in " ".join(run.logged("INFO"))


def test_refresh_token_reused_by_someone_else_is_reported_and_replaceable(
    servers: Servers, one_table: Message
) -> None:
    """A stolen token is used twice, so the server revokes all tokens that came from it."""
    ready = flows.oauth_refresh_token(servers)
    assert_complete(ready.tap.run(catalog=one_table))
    settings = ready.tap.settings
    form = {name: settings[name] for name in ("client_id", "refresh_token")}
    form["grant_type"] = "refresh_token"
    assert not requests.post(settings["token_uri"], data=form, timeout=SECONDS).ok
    assert "grant request is invalid" in ready.tap.run(catalog=one_table).refusal()
    # The person signs in again: the newly configured token takes precedence over the store.
    token = servers.oauth.refresh_token(oauth.PUBLIC_CLIENT)
    assert_complete(ready.but(refresh_token=token).tap.run(catalog=one_table))


def test_token_store_of_another_app_is_replaced(servers: Servers, one_table: Message) -> None:
    store = servers.new_store()
    for flow in (flows.oauth_refresh_token, flows.oauth_refresh_token_of_a_confidential_client):
        ready = flow(servers).but(token_store=store)
        run = ready.tap.run(catalog=one_table)
        assert run.status == 0, run.log
        stored = json.loads(Path(store).read_text())
        assert stored["client_id"] == ready.tap.settings["client_id"]


@pytest.mark.parametrize(
    ("flow", "given", "words"),
    [
        (flows.oauth_client_secret, {"client_secret": "wrong"}, "client authentication failed"),
        (flows.oauth_client_secret, {"client_id": "another"}, "client authentication failed"),
        (
            flows.oauth_certificate,
            {"client_certificate": make().with_key()},
            "client authentication failed",
        ),
        (flows.oauth_refresh_token, {"refresh_token": "wrong"}, "grant request is invalid"),
        (flows.oauth_refresh_token, {"client_secret": "needless"}, "client authentication failed"),
    ],
    ids=["secret", "client", "certificate", "refresh-token", "needless-secret"],
)
def test_refusal_is_reported_in_one_sentence(
    servers: Servers,
    one_table: Message,
    flow: Callable[[Servers], Flow],
    given: dict[str, str],
    words: str,
) -> None:
    run = flow(servers).but(**given).tap.run(catalog=one_table)
    assert words in run.refusal()
    assert not run.records("team")
