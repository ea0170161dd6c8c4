"""Each way to sign in, from the fields of the page to the tables of the service."""

from __future__ import annotations

import html
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.business_central.addresses import ACCESS_KEY, USER
from tests.auth import flows
from tests.auth.flows import Servers
from tests.configure.client import client_of
from tests.configure.conftest import checks, configuring, signed_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.central_client import CentralSandbox
    from tests.auth.flows import Flow
    from tests.configure.client import Client

WAYS: dict[Callable[[Servers], Flow], str] = {
    flows.refresh_token: "person",
    flows.refresh_token_of_a_public_client: "person",
    flows.client_secret: "secret",
    flows.certificate_in_a_file: "certificate",
    flows.certificate_in_the_settings: "certificate",
    flows.managed_identity: "azure",
    flows.azure_command_line: "azure",
    flows.ntlm_sign_in: "ntlm",
    flows.given_access_token: "token",
}
# Settings without a field.
FIXED = {"authentication_method", "tables"}


class Pages:
    """Pages of `dynamics365 configure`, one for each environment of the command.

    Args:
        stack: Ends them.
        servers: The servers of the ways to sign in.
    """

    def __init__(self, stack: ExitStack, servers: Servers) -> None:
        self._stack = stack
        self._clients: dict[tuple[tuple[str, str], ...], Client] = {}
        self.servers = servers

    def get(self, environment: Mapping[str, str]) -> Client:
        """Return a page that was started with variables."""
        key = tuple(sorted(environment.items()))
        if key not in self._clients:
            folder = self.servers.folder
            started = configuring(folder, {}, environment={"HOME": str(folder), **environment})
            client = client_of(self._stack.enter_context(started))
            client.open()
            self._clients[key] = client
        return self._clients[key]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The pages, with the servers of the ways to sign in."""
    with ExitStack() as stack:
        yield Pages(stack, Servers(stack, tmp_path_factory.mktemp("servers")))


def form_of(way: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a way to sign in, as a browser sends them."""
    texts = {name: str(text) for name, text in settings.items() if name not in FIXED}
    # Secrets of the way before stay, unless they are removed.
    kept = {} if "client_secret" in texts else {"client_secret": "", "remove.client_secret": "on"}
    # A browser sends the lines of a text in this form.
    return {"way": way, **kept} | {name: text.replace("\n", "\r\n") for name, text in texts.items()}


def header(client: Client) -> str:
    """What the header says of account and connection."""
    found = re.search(
        r'(?s)<span class="connection".*?</span>\s*</span>', client.get("/query").text
    )
    assert found
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", found[0])).split())


def assert_works(client: Client, form: dict[str, str], table: str) -> None:
    """Assert that the checks succeed with the fields, and that the table is listed."""
    client.post("/connect/check", form)
    found = checks(client)
    for name in ("settings", "sign-in", "service", "tables"):
        assert found[name][0] in {"ok", "warning"}, found
    assert header(client).endswith(" Connected")
    assert re.search(rf'/table\?name={table}"', client.get("/tables").text)


@pytest.mark.parametrize("flow", WAYS, ids=lambda flow: flow.__name__)
def test_way_to_sign_in_leads_to_the_tables(pages: Pages, flow: Callable[[Servers], Flow]) -> None:
    made = flow(pages.servers)
    client = pages.get(made.tap.environment)
    form = form_of(WAYS[flow], made.tap.settings)
    assert_works(client, form, "team")
    shown = client.get("/connect").text + client.get("/save?file=config.json").text
    assert not [secret for secret in made.secrets if secret in html.unescape(shown)]


def test_web_service_access_key_leads_to_the_tables(pages: Pages, central: CentralSandbox) -> None:
    form = {"way": "basic", "service_url": central.on_premises_url, "user": USER}
    client = pages.get({})
    assert_works(client, {**form, "password": ACCESS_KEY}, "customers")
    client.post("/connect/check", {**form, "password": "wrong"})
    found = checks(client)
    assert "Check user and password" in " ".join(words for _, words in found.values())


@pytest.fixture
def account(central: CentralSandbox) -> dict[str, str]:
    """The fields of a person's sign-in to Business Central, without an environment."""
    announced = central.announced
    return {
        "way": "person",
        "service_url": f"{central.url}/v2.0/{announced['tenant_id']}",
        "token_uri": announced["token_uri"],
        "client_id": announced["public_client_id"],
        "remove.client_secret": "on",
        "remove.refresh_token": "on",
        "refresh_token": "",
        "token_store": "",
    }


def choose(client: Client, central: CentralSandbox) -> None:
    """Choose an environment of Business Central from the list that the page shows."""
    page = client.get("/connect").text
    urls = re.findall(r'name="url" value="([^"]+)"', page)
    names = [url.split("/")[-4] for url in urls]
    assert names == ["Production", "Sandbox"]
    client.post("/connect/environment", {"url": urls[0]})
    assert urls[0] == central.service_url
    found = checks(client)
    assert {found[name][0] for name in ("sign-in", "service")} == {"ok"}, found
    assert header(client).endswith("Business Central, Production Connected")
    assert "customers" in client.get("/tables").text


def test_person_chooses_an_environment_of_business_central(
    pages: Pages, central: CentralSandbox, account: dict[str, str]
) -> None:
    client = signed_in(pages.get({}), central, account)
    assert client.get("/connect").notices == ["Signed in. Choose an environment."]
    choose(client, central)


def test_stored_token_lists_the_environments_of_business_central(
    pages: Pages, central: CentralSandbox, account: dict[str, str]
) -> None:
    client = pages.get({})
    account["token_store"] = pages.servers.new_store()
    signed_in(client, central, {**account, "service_url": central.service_url})
    listed = client.post("/connect/environments", account)
    assert listed.notices == []
    choose(client, central)


def test_app_lists_the_environments_of_business_central(
    pages: Pages, central: CentralSandbox, account: dict[str, str]
) -> None:
    client = pages.get({})
    app = {name: central.settings[name] for name in ("client_id", "client_secret", "token_uri")}
    form = {**app, "way": "secret", "service_url": account["service_url"]}
    client.post("/connect/environments", form)
    choose(client, central)
    assert header(client).startswith(f"As app {app['client_id']}. ")
