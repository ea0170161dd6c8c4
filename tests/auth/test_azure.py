"""Azure credentials: requests without the proxy, and messages when a credential is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.auth import flows
from tests.auth.flows import assert_complete

if TYPE_CHECKING:
    from tests.auth.flows import Servers
    from tests.tap import Message

# Variables with which no Azure credential is found.
NOWHERE = {
    "AZURE_TENANT_ID": "",
    "AZURE_CLIENT_ID": "",
    "AZURE_FEDERATED_TOKEN_FILE": "",
    "PATH": "/nowhere",
}


def test_managed_identity_is_requested_without_the_proxy(
    servers: Servers, one_table: Message
) -> None:
    flow = flows.managed_identity(servers).but(**servers.proxy.settings)
    before = len(servers.proxy.seen())
    assert_complete(flow.tap.run(catalog=one_table))
    seen = servers.proxy.seen()[before:]
    assert seen
    assert all(line.startswith(f"GET {servers.sandbox.url}") for line in seen)


@pytest.mark.parametrize(
    ("credential", "words"),
    [("workload_identity", "token_file_path"), ("azure_cli", "Azure CLI not found")],
)
def test_azure_credential_that_is_missing_is_reported_in_one_sentence(
    servers: Servers, one_table: Message, credential: str, words: str
) -> None:
    tap = flows.managed_identity(servers).but(azure_credential=credential).tap
    run = replace(tap, environment=NOWHERE).run(catalog=one_table)
    sentence = run.refusal()
    assert f"azure_credential={credential}" in sentence
    assert words in sentence
    assert run.output == ""
