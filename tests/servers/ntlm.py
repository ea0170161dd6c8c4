"""Web server that requires NTLM, in front of the sandbox, as in an on-premises deployment.

pyspnego implements the server's side of the handshake. NTLM authenticates a connection, not a
request: each new connection needs a new handshake ([MS-NTHT], section 3). The server has a process
of its own because pyspnego finds its users through an environment variable.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import spnego
from spnego.exceptions import SpnegoError
from typing_extensions import override

from sandbox.identity.tokens import ORGANISATION
from tests.servers.front import Front, serving
from tests.servers.tokens import access_token
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spnego import ContextProxy

    from sandbox.client import Sandbox

DOMAIN = "INVENTED"
USER = "invented-user"
PASSWORD = "invented-ntlm-password"  # noqa: S105 - invented, and says so


class NtlmFront(Front):
    """Forwards the requests of a connection that has completed the handshake.

    Attributes:
        token: Access token of the sandbox, which does not support NTLM.
        signed_in: Whether the connection is authenticated.
        handshake: The handshake of the connection, once it has begun.
    """

    token: str
    signed_in = False
    handshake: ContextProxy | None = None

    @override
    def serve(self) -> None:
        body = self.body()
        scheme, _, message = self.headers.get("Authorization", "").partition(" ")
        if scheme == "NTLM":
            self._step(base64.b64decode(message))
        elif self.signed_in:
            self.forward(body, Authorization=f"Bearer {self.token}")
        else:
            self._ask("NTLM")
        if self.handshake is not None and self.handshake.complete and not self.signed_in:
            self.signed_in = True
            self.forward(body, Authorization=f"Bearer {self.token}")

    def _step(self, message: bytes) -> None:
        """Process a message of the handshake, and send the next one if there is one."""
        if self.handshake is None or self.handshake.complete:
            self.handshake, self.signed_in = spnego.server(protocol="ntlm"), False
        try:
            challenge = self.handshake.step(message)
        except SpnegoError:
            self.handshake = None
            self._ask("NTLM")
            return
        if not self.handshake.complete:
            self._ask(f"NTLM {base64.b64encode(challenge or b'').decode()}")

    def _ask(self, challenge: str) -> None:
        page = b"<html><body>401 - Unauthorized: Access is denied.</body></html>"
        headers = [("WWW-Authenticate", challenge), ("Content-Type", "text/html")]
        self.answer(401, headers, page)


@contextmanager
def running(sandbox: Sandbox, audience: str = ORGANISATION) -> Iterator[str]:
    """Start a server.

    Args:
        sandbox: The sandbox, which has to run as long as the server.
        audience: The audience of the access token; the organisation's name is valid at each
            address of a Dataverse.

    Yields:
        Scheme, host and port of the server.
    """
    with TemporaryDirectory() as folder:
        users = Path(folder, "users")
        users.write_text(f"{DOMAIN}:{USER}:{PASSWORD}\n")
        token = access_token(sandbox, audience)
        with subprocess.Popen(  # noqa: S603 - this file
            [sys.executable, "-m", "tests.servers.ntlm", sandbox.url, token],
            cwd=REPOSITORY,
            env={**os.environ, "NTLM_USER_FILE": str(users)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                port = process.stdout.readline() if process.stdout else ""
                assert port, f"The server ended with code {process.wait()}."
                yield f"http://127.0.0.1:{int(port)}"
            finally:
                process.terminate()


def main(upstream: str, token: str) -> None:
    """Print the port, and serve until standard input is closed."""
    NtlmFront.upstream, NtlmFront.token = upstream, token
    with serving(NtlmFront) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
