"""Azure credentials: App Service's token endpoint, the Azure CLI, and a cluster's token file.

Sources: Microsoft Learn, "How to use managed identities for App Service and Azure Functions", "az
account get-access-token", "Workload identity federation".
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from typing_extensions import override

from tests.servers.front import Answering, serving
from tests.servers.tokens import access_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox

IDENTITY_HEADER = "invented-identity-header"
CLUSTER = "https://invented-cluster.example"
SUBJECT = "system:serviceaccount:invented:tap"


class AppService(Answering):
    """Token endpoint of App Service: issues tokens for requests with the identity header."""

    sandbox: Sandbox

    @override
    def serve(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        if self.headers.get("X-IDENTITY-HEADER") != IDENTITY_HEADER or "resource" not in asked:
            self.answer(401, [("Content-Type", "application/json")], b'{"statusCode": 401}')
            return
        try:
            token = access_token(self.sandbox, asked["resource"][0])
        except LookupError:
            self.answer(400, [("Content-Type", "application/json")], b'{"statusCode": 400}')
            return
        content = {
            "access_token": token,
            "expires_on": str(int(time.time()) + 3_599),
            "resource": asked["resource"][0],
            "token_type": "Bearer",
        }
        self.answer(200, [("Content-Type", "application/json")], json.dumps(content).encode())


@contextmanager
def app_service(sandbox: Sandbox) -> Iterator[dict[str, str]]:
    """Serve the token endpoint of App Service.

    Args:
        sandbox: The sandbox that issues the tokens.

    Yields:
        The variables with which a program finds the endpoint.
    """

    class Handler(AppService):
        pass

    Handler.sandbox = sandbox
    with serving(Handler) as server:
        endpoint = f"http://127.0.0.1:{server.server_port}/msi/token"
        yield {"IDENTITY_ENDPOINT": endpoint, "IDENTITY_HEADER": IDENTITY_HEADER}


def command_line(sandbox: Sandbox, folder: Path, resource: str) -> dict[str, str]:
    """Write an `az` program that is signed in; it appends its arguments to the file `arguments`.

    Args:
        sandbox: The sandbox that issues the token.
        folder: The folder of the program.
        resource: The resource that the token is for.

    Returns:
        The variables with which a program finds it.
    """
    answer = folder / "answer.json"
    ends = int(time.time()) + 3_599
    content = {
        "accessToken": access_token(sandbox, resource),
        "expiresOn": time.strftime("%Y-%m-%d %H:%M:%S.000000", time.localtime(ends)),
        "expires_on": ends,
        "tokenType": "Bearer",
    }
    answer.write_text(json.dumps(content))
    program = folder / "az"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/arguments\n'
        f'case "$*" in *{resource}*) cat {answer};; *) echo "no such resource" >&2; exit 1;; esac\n'
    )
    program.chmod(0o700)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


@cache
def _cluster_key() -> rsa.RSAPrivateKey:
    """Generate the key of the cluster: always the same one, which the sandbox trusts for good."""
    return rsa.generate_private_key(65537, 2048)


def federated_token(sandbox: Sandbox, file: Path) -> dict[str, str]:
    """Write the token of a cluster, and make an app of the sandbox trust the cluster.

    Args:
        sandbox: The sandbox.
        file: The file for the token.

    Returns:
        The variables with which a program finds the token.
    """
    key = _cluster_key()
    public_key = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    sandbox.trust(CLUSTER, SUBJECT, public_key.decode())
    claims = {
        "iss": CLUSTER,
        "sub": SUBJECT,
        "aud": "api://AzureADTokenExchange",
        "exp": int(time.time()) + 3_600,
    }
    file.write_text(jwt.encode(claims, key, "RS256"))
    return {
        "AZURE_FEDERATED_TOKEN_FILE": str(file),
        "AZURE_TENANT_ID": sandbox.announced["tenant_id"],
        "AZURE_CLIENT_ID": sandbox.announced["client_id"],
    }
