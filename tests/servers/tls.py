"""The sandbox under the names of Microsoft's hosts: TLS, and a certificate authority for it.

With a proxy that leads the names here, the tap runs as it does in the real world:

    with tls.running(sandbox.url) as front, proxy.running(ports=front.ports) as way:
        tap = Tap({"service_url": front.service_url, **way.settings}, front.environment)
"""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import trustme

from tests.servers.front import Front, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICE_HOST = "invented-org.api.crm.dynamics.com"
SIGN_IN_HOST = "login.microsoftonline.com"
NAMES = (SERVICE_HOST, SIGN_IN_HOST, "localhost", "127.0.0.1")


@dataclass(frozen=True)
class TlsFront:
    """A running front.

    Args:
        port: Where it listens on 127.0.0.1.
        authority: The file with the certificate that its own are signed by.
    """

    port: int
    authority: Path

    @property
    def ports(self) -> dict[str, int]:
        """Where each of the hosts is served."""
        return dict.fromkeys((SERVICE_HOST, SIGN_IN_HOST), self.port)

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which a program trusts it."""
        return {"REQUESTS_CA_BUNDLE": str(self.authority), "SSL_CERT_FILE": str(self.authority)}

    @property
    def service_url(self) -> str:
        """The service root, under the name of a host of Microsoft's."""
        return f"https://{SERVICE_HOST}/api/data/v9.2/"

    @property
    def url(self) -> str:
        """Its own address, for programs that use no proxy."""
        return f"https://localhost:{self.port}"


def issue(context: ssl.SSLContext) -> bytes:
    """Give a server a certificate that is as it should be.

    Args:
        context: The server's.

    Returns:
        The certificate of the authority, in PEM.
    """
    authority = trustme.CA()
    authority.issue_cert(*NAMES).configure_cert(context)
    return authority.cert_pem.bytes()


@contextmanager
def running(upstream: str, issue: Callable[[ssl.SSLContext], bytes] = issue) -> Iterator[TlsFront]:
    """Serve what is behind an address under the names in `NAMES`.

    Args:
        upstream: Such as the `url` of a sandbox.
        issue: Gives the server its certificate, and returns that of its authority.
    """

    class Handler(Front):
        def serve(self) -> None:
            self.forward(self.body(), X_Forwarded_Proto="https")

    Handler.upstream = upstream
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority = issue(context)
    with TemporaryDirectory() as folder, serving(Handler) as server:
        # The handshake waits for the thread of its connection, lest one hold up the others.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        file = Path(folder, "authority.pem")
        file.write_bytes(authority)
        yield TlsFront(server.server_port, file)
