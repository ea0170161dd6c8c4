"""OAuth 2.0 server: oidc-provider, an independent one, certified by the OpenID Foundation.

The server rotates refresh tokens, and revokes all descendants of one that is used a second time. It
accepts each assertion once and requires PKCE of public clients. Its paths are those of Entra ID. A
sandbox accepts its tokens after `sandbox.configure(introspection_url=server.introspection_url)`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).with_name("oidc")
TENANT = "invented-tenant"
PUBLIC_CLIENT = "invented-public-client"
CONFIDENTIAL_CLIENT = "invented-confidential-client"
SECRET_APP = "invented-secret-app"  # noqa: S105 - the name of a client
CERTIFICATE_APP = "invented-certificate-app"
SECRET = "invented-client-secret"  # noqa: S105 - invented, and says so
SERVICE = "invented-service:invented-service-secret"
OLDEST_NODE = 20
SECONDS = 60


@dataclass(frozen=True)
class OAuthServer:
    """A running server.

    Args:
        port: The port on 127.0.0.1.
    """

    port: int

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token_uri(self) -> str:
        """The token endpoint."""
        return f"{self.url}/{TENANT}/oauth2/v2.0/token"

    @property
    def introspection_url(self) -> str:
        """The introspection endpoint, with the user name and password of the service."""
        return f"http://{SERVICE}@127.0.0.1:{self.port}/introspection"

    def refresh_token(self, client: str) -> str:
        """Request a refresh token, as if a person had signed in to a client."""
        answer = requests.get(f"{self.url}/seed", {"client": client}, timeout=SECONDS)
        answer.raise_for_status()
        return answer.text


def unavailable() -> str | None:
    """Return why the server can't run on this machine, or None if it can."""
    node = shutil.which("node")
    if node is None:
        return "Node.js, on which oidc-provider runs, is not installed"
    command = [node, "--version"]
    answer = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 - Node.js
    if int(answer.stdout.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        return f"oidc-provider needs Node.js {OLDEST_NODE} or later, and {node} is {answer.stdout}"
    if not (FOLDER / "node_modules" / "oidc-provider").exists():
        return "oidc-provider is not installed: npm install --prefix tests/servers/oidc"
    return None


@contextmanager
def running(resource: str, *, certificate: str = "", lifetime: int = 3600) -> Iterator[OAuthServer]:
    """Start a server.

    Args:
        resource: Scheme, host and port of the service that the tokens are for.
        certificate: The certificate of `CERTIFICATE_APP`, in PEM.
        lifetime: Seconds until an access token expires.
    """
    settings = {
        "tenant": TENANT,
        "resource": resource,
        "certificate": certificate,
        "lifetime": lifetime,
    }
    with subprocess.Popen(  # noqa: S603 - our own program
        ["node", "server.mjs", json.dumps(settings)],  # noqa: S607 - whichever is there
        cwd=FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            # The other lines are warnings about settings for production.
            lines = iter(process.stdout or ())
            ready = next((line for line in lines if line.startswith("listening on ")), "")
            assert ready, f"The server ended with code {process.wait()}."
            yield OAuthServer(int(ready.split()[-1]))
        finally:
            process.terminate()
