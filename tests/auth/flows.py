"""Flows: each way to sign in against real servers, for tests that run the tap as a process."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import client
from tests.servers import azure, ntlm, oauth, proxy, tls, tokens
from tests.servers.certificate import Certificate, make
from tests.tap import Tap
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.servers.oauth import OAuthServer
    from tests.servers.proxy import Proxy
    from tests.servers.tls import TlsFront
    from tests.tap import Run

PASSPHRASE = "invented-passphrase"  # noqa: S105 - invented, and says so
# Settings and variables whose values are secret.
SECRETS = {
    "access_token",
    "client_certificate_password",
    "client_secret",
    "connection_url",
    "password",
    "proxy_password",
    "refresh_token",
    "IDENTITY_HEADER",
}


class Servers:
    """The servers of the flows, each started when it is first used.

    Args:
        stack: Stops the servers when it is closed.
        folder: The folder for files of the flows.
    """

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self.folder = folder

    def new_store(self) -> str:
        """Return the path of a token store that does not exist yet."""
        return str(self.folder / f"{uuid.uuid4()}.json")

    @cached_property
    def sandbox(self) -> Sandbox:
        """A sandbox, which includes a sign-in host."""
        return self._stack.enter_context(client.running(rows=50))

    @cached_property
    def proxy(self) -> Proxy:
        """A proxy with a password, which resolves Microsoft's hosts to the front."""
        return self._stack.enter_context(proxy.running(ports=self.front.ports))

    @cached_property
    def front(self) -> TlsFront:
        """The sandbox under the names of Microsoft's hosts, with TLS."""
        self.sandbox.configure(authority_url=f"https://{tls.SIGN_IN_HOST}")
        return self._stack.enter_context(tls.running(self.sandbox.url))

    @cached_property
    def ntlm(self) -> str:
        """The URL of a web server that requires NTLM, in front of the sandbox."""
        return self._stack.enter_context(ntlm.running(self.sandbox))

    @cached_property
    def certificate(self) -> Certificate:
        """A certificate that is registered for the confidential app of each server."""
        made = make()
        self.sandbox.register_certificate(made.pem)
        return made

    @cached_property
    def oauth(self) -> OAuthServer:
        """An independent sign-in host (oidc-provider), whose tokens the sandbox accepts."""
        if reason := oauth.unavailable():
            pytest.skip(reason)
        running = oauth.running(self.sandbox.url, certificate=self.certificate.pem)
        server = self._stack.enter_context(running)
        self.sandbox.configure(introspection_url=server.introspection_url)
        return server

    @cached_property
    def app_service(self) -> dict[str, str]:
        """The variables of a program with a managed identity."""
        return self._stack.enter_context(azure.app_service(self.sandbox))


@dataclass(frozen=True)
class Flow:
    """A way to sign in, ready to run.

    Args:
        tap: The tap with its settings.
        sandbox: The service.
        more: Secrets outside the settings, such as those in files.
    """

    tap: Tap
    sandbox: Sandbox
    more: tuple[str, ...] = ()

    @property
    def secrets(self) -> set[str]:
        """The secrets that are known before the run."""
        given = {**self.tap.settings, **self.tap.environment}
        return {str(given[name]) for name in SECRETS & given.keys()} | set(self.more)

    def but(self, **settings: Any) -> Flow:
        """Return the flow with other settings; None removes one."""
        return replace(self, tap=self.tap.but(**settings))


def _flow(servers: Servers, *, service_url: str = "", **settings: Any) -> Flow:
    """Make a flow of one small table with these settings."""
    url = service_url or servers.sandbox.service_url
    return Flow(Tap({"service_url": url, "tables": ["team"], **settings}), servers.sandbox)


def _app(servers: Servers, *names: str) -> dict[str, str]:
    return {name: servers.sandbox.settings[name] for name in ("client_id", "token_uri", *names)}


def refresh_token(servers: Servers) -> Flow:
    """A person's refresh token with a confidential app."""
    return _flow(servers, **_app(servers, "client_secret", "refresh_token"))


def refresh_token_of_a_public_client(servers: Servers) -> Flow:
    """A person's refresh token with a public client: an app without a secret."""
    announced = servers.sandbox.announced
    public = {
        "client_id": announced["public_client_id"],
        "refresh_token": announced["public_refresh_token"],
    }
    return _flow(servers, token_uri=announced["token_uri"], **public)


def refresh_token_at_the_older_endpoint(servers: Servers) -> Flow:
    """The endpoint of version 1: lifetimes are strings, and a resource replaces the scope."""
    flow = refresh_token(servers)
    return flow.but(token_uri=flow.tap.settings["token_uri"].replace("/v2.0/", "/"))


def refresh_token_with_a_store(servers: Servers) -> Flow:
    """A refresh token with a token store."""
    # Each flow has a token of its own: a rotation of another flow may have revoked the shared one.
    own = tokens.refresh_token(servers.sandbox)
    return refresh_token(servers).but(refresh_token=own, token_store=servers.new_store())


def connection_url(servers: Servers) -> Flow:
    """The refresh-token grant in the driver's connection URL."""
    names = {
        "ServiceURL": servers.sandbox.service_url,
        "ClientID": servers.sandbox.settings["client_id"],
        "ClientSecret": servers.sandbox.settings["client_secret"],
        "TokenURI": servers.sandbox.settings["token_uri"],
        "RefreshToken": servers.sandbox.settings["refresh_token"],
    }
    parts = ";".join(f"{name}={value}" for name, value in names.items())
    tap = Tap({"connection_url": f"jdbc:datadirect:dynamics365:{parts};", "tables": ["team"]})
    more = (names["ClientSecret"], names["RefreshToken"])
    return Flow(tap, servers.sandbox, more)


def client_secret(servers: Servers) -> Flow:
    """An app that signs in as itself; token_uri begins with the method, as in the driver."""
    flow = _flow(servers, **_app(servers, "client_secret"))
    return flow.but(token_uri=f"POST {flow.tap.settings['token_uri']}")


def client_secret_at_the_older_endpoint(servers: Servers) -> Flow:
    """An app with a secret at the endpoint of version 1, which takes a resource."""
    flow = _flow(servers, **_app(servers, "client_secret"))
    return flow.but(token_uri=flow.tap.settings["token_uri"].replace("/v2.0/", "/"))


def certificate_in_a_file(servers: Servers) -> Flow:
    """A certificate whose key has a passphrase."""
    file = servers.folder / "certificate.pem"
    file.write_text(servers.certificate.with_key(PASSPHRASE))
    given = {"client_certificate": str(file), "client_certificate_password": PASSPHRASE}
    return _flow(servers, **_app(servers), **given)


def certificate_in_the_settings(servers: Servers) -> Flow:
    """A certificate as text in the settings."""
    pem = servers.certificate.with_key()
    flow = _flow(servers, **_app(servers), client_certificate=pem)
    # Each line of the key counts as a secret: the key is not printed in one line.
    return replace(flow, more=tuple(line for line in pem.split("-----")[2].split() if line))


def given_access_token(servers: Servers) -> Flow:
    """An access token that another program has requested."""
    return _flow(servers, access_token=tokens.access_token(servers.sandbox, servers.sandbox.url))


def ntlm_sign_in(servers: Servers) -> Flow:
    """NTLM at an on-premises server."""
    return _flow(
        servers,
        service_url=f"{servers.ntlm}/api/data/v9.2/",
        authentication_method="NTLM",
        ntlm_domain=ntlm.DOMAIN,
        user=ntlm.USER,
        password=ntlm.PASSWORD,
    )


def managed_identity(servers: Servers) -> Flow:
    """The identity of an app of App Service."""
    flow = _flow(servers, azure_credential="managed_identity")
    return replace(flow, tap=replace(flow.tap, environment=servers.app_service))


def default_of_azure(servers: Servers) -> Flow:
    """The chain of Azure credentials: the first that gives a token is used."""
    return managed_identity(servers).but(azure_credential="default")


def azure_command_line(servers: Servers) -> Flow:
    """The account that is signed in to the Azure CLI."""
    environment = azure.command_line(servers.sandbox, servers.folder, servers.sandbox.url)
    flow = _flow(servers, azure_credential="azure_cli")
    return replace(flow, tap=replace(flow.tap, environment=environment))


def workload_identity(servers: Servers) -> Flow:
    """A pod in a cluster that the app trusts, at the names of Microsoft's hosts."""
    file = servers.folder / "federated-token"
    variables = azure.federated_token(servers.sandbox, file)
    flow = _through_proxy(servers, azure_credential="workload_identity")
    environment = {**flow.tap.environment, **variables}
    return replace(flow, tap=replace(flow.tap, environment=environment), more=(file.read_text(),))


def through_a_proxy(servers: Servers) -> Flow:
    """A confidential app behind a proxy with a password."""
    return refresh_token(servers).but(**servers.proxy.settings)


def discovered_tenant(servers: Servers) -> Flow:
    """No token_uri: the challenge of the service names a host of Microsoft's."""
    names = ("client_id", "client_secret")
    return _through_proxy(servers, **{name: servers.sandbox.settings[name] for name in names})


def _through_proxy(servers: Servers, **settings: Any) -> Flow:
    """Make a flow at the names of Microsoft's hosts, through the proxy."""
    way = servers.proxy.settings
    flow = _flow(servers, service_url=servers.front.service_url, **way, **settings)
    return replace(flow, tap=replace(flow.tap, environment=servers.front.environment))


def oauth_refresh_token(servers: Servers) -> Flow:
    """A public client at oidc-provider, which rotates refresh tokens."""
    token = servers.oauth.refresh_token(oauth.PUBLIC_CLIENT)
    return _flow(
        servers,
        client_id=oauth.PUBLIC_CLIENT,
        refresh_token=token,
        token_uri=servers.oauth.token_uri,
        token_store=servers.new_store(),
    )


def oauth_refresh_token_of_a_confidential_client(servers: Servers) -> Flow:
    """A confidential client at oidc-provider, which rotates refresh tokens."""
    token = servers.oauth.refresh_token(oauth.CONFIDENTIAL_CLIENT)
    given = {"client_id": oauth.CONFIDENTIAL_CLIENT, "client_secret": oauth.SECRET}
    return oauth_refresh_token(servers).but(refresh_token=token, **given)


def oauth_client_secret(servers: Servers) -> Flow:
    """An app with a secret at oidc-provider."""
    given = {"client_id": oauth.SECRET_APP, "client_secret": oauth.SECRET}
    return _flow(servers, token_uri=servers.oauth.token_uri, **given)


def oauth_certificate(servers: Servers) -> Flow:
    """An app with a certificate at oidc-provider: `private_key_jwt`."""
    given = {
        "client_id": oauth.CERTIFICATE_APP,
        "client_certificate": servers.certificate.with_key(),
    }
    return _flow(servers, token_uri=servers.oauth.token_uri, **given)


SANDBOX_FLOWS: tuple[Callable[[Servers], Flow], ...] = (
    refresh_token,
    refresh_token_of_a_public_client,
    refresh_token_at_the_older_endpoint,
    refresh_token_with_a_store,
    connection_url,
    client_secret,
    client_secret_at_the_older_endpoint,
    certificate_in_a_file,
    certificate_in_the_settings,
    given_access_token,
    ntlm_sign_in,
    managed_identity,
    default_of_azure,
    azure_command_line,
    workload_identity,
    through_a_proxy,
    discovered_tenant,
)
OIDC_FLOWS: tuple[Callable[[Servers], Flow], ...] = (
    oauth_refresh_token,
    oauth_refresh_token_of_a_confidential_client,
    oauth_client_secret,
    oauth_certificate,
)
# The line of the log that names grant and account, by flow at the sandbox.
ACCOUNT_LINES = {
    refresh_token: "Signed in as {person} with refresh_token.",
    refresh_token_of_a_public_client: "Signed in as {person} with refresh_token.",
    refresh_token_at_the_older_endpoint: "Signed in as {person} with refresh_token.",
    refresh_token_with_a_store: "Signed in as {person} with refresh_token.",
    connection_url: "Signed in as {person} with refresh_token.",
    client_secret: "Signed in as app {app} with client_secret.",
    client_secret_at_the_older_endpoint: "Signed in as app {app} with client_secret.",
    certificate_in_a_file: "Signed in as app {app} with client_certificate.",
    certificate_in_the_settings: "Signed in as app {app} with client_certificate.",
    given_access_token: "Signing in as app {app} with access_token.",
    ntlm_sign_in: f"Signing in as {ntlm.DOMAIN}\\{ntlm.USER} with NTLM.",
    managed_identity: "Signed in as app {app} with azure_credential=managed_identity.",
    default_of_azure: "Signed in as app {app} with azure_credential=default.",
    azure_command_line: "Signed in as app {app} with azure_credential=azure_cli.",
    workload_identity: "Signed in as app {app} with azure_credential=workload_identity.",
    through_a_proxy: "Signed in as {person} with refresh_token.",
    discovered_tenant: "Signed in as app {app} with client_secret.",
}
# The same line by flow at oidc-provider, whose access tokens are opaque.
ACCOUNT_LINES_OF_OPAQUE_TOKENS = {
    oauth_refresh_token: ("Signed in with refresh_token. The access token names no account."),
    oauth_refresh_token_of_a_confidential_client: (
        "Signed in with refresh_token. The access token names no account."
    ),
    oauth_client_secret: f"Signed in as app {oauth.SECRET_APP} with client_secret.",
    oauth_certificate: f"Signed in as app {oauth.CERTIFICATE_APP} with client_certificate.",
}
# Number of rows of the table.
ROWS = 8
# The tap, installed without extras.
WITHOUT_EXTRAS = REPOSITORY / ".venv-plain" / "bin" / "tap-dynamics365"


def assert_complete(run: Run) -> None:
    """Assert that a run succeeded with all rows and without a warning."""
    assert run.status == 0, run.log
    assert run.counts == {"team": ROWS}
    assert not run.logged("WARNING")


def account_lines(run: Run) -> list[str]:
    """Find the lines of the log that name grant and account."""
    return [line for line in run.logged("INFO") if re.match(r"Sign(ed|ing) in\b", line)]
