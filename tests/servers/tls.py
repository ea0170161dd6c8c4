"""TLS front: the sandbox under the names of Microsoft's hosts, with a certificate authority.

A proxy resolves the names to the front, so that the tap runs with real URLs:

    with tls.running(sandbox.url) as front, proxy.running(ports=front.ports) as proxied:
        tap = Tap({"service_url": front.service_url, **proxied.settings}, front.environment)
"""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import trustme
from typing_extensions import override

from tests.servers.front import Front, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICE_HOST = "invented-org.api.crm.dynamics.com"
SIGN_IN_HOST = "login.microsoftonline.com"
CENTRAL_HOST = "api.businesscentral.dynamics.com"
DISCOVERY_HOST = "globaldisco.crm.dynamics.com"
# The host of the sandbox in the list of environments.
LISTED_HOST = "sandbox.crm.dynamics.com"
HOSTS = (SERVICE_HOST, SIGN_IN_HOST, CENTRAL_HOST, DISCOVERY_HOST, LISTED_HOST)
NAMES = (*HOSTS, "localhost", "127.0.0.1")


@dataclass(frozen=True)
class TlsFront:
    """A running front.

    Args:
        port: The port on 127.0.0.1.
        authority: The file with the certificate of the authority.
    """

    port: int
    authority: Path

    @property
    def ports(self) -> dict[str, int]:
        """The port of each host, for `proxy.running`."""
        return dict.fromkeys(HOSTS, self.port)

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a program trusts the authority."""
        return {"REQUESTS_CA_BUNDLE": str(self.authority), "SSL_CERT_FILE": str(self.authority)}

    @property
    def service_url(self) -> str:
        """The service URL, with the name of a host of Microsoft's."""
        return f"https://{SERVICE_HOST}/api/data/v9.2/"

    @property
    def url(self) -> str:
        """The URL of the front itself, for programs without a proxy."""
        return f"https://localhost:{self.port}"


def issue(context: ssl.SSLContext) -> bytes:
    """Issue a valid certificate.

    Args:
        context: The TLS context of the server.

    Returns:
        The certificate of the authority, in PEM.
    """
    authority = trustme.CA()
    authority.issue_cert(*NAMES).configure_cert(context)
    return authority.cert_pem.bytes()


@contextmanager
def running(upstream: str, issue: Callable[[ssl.SSLContext], bytes] = issue) -> Iterator[TlsFront]:
    """Start a front.

    Args:
        upstream: Scheme, host and port of the server behind it, such as the `url` of a sandbox.
        issue: A function that loads a certificate into the context of the server, and returns the
            certificate of its authority.
    """

    class Handler(Front):
        @override
        def serve(self) -> None:
            self.forward(self.body(), X_Forwarded_Proto="https")

    Handler.upstream = upstream
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority = issue(context)
    with TemporaryDirectory() as folder, serving(Handler) as server:
        # The thread of each connection does its handshake, so that none delays the others.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        file = Path(folder, "authority.pem")
        file.write_bytes(authority)
        yield TlsFront(server.server_port, file)
