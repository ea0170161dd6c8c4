"""Tokens of a sandbox, for servers and tests that need one before the tap runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from sandbox.client import Sandbox

SECONDS = 60


def access_token(sandbox: Sandbox, resource: str) -> str:
    """Sign in to a sandbox as its confidential app.

    Args:
        sandbox: A sandbox.
        resource: The resource that the token is for: scheme and host of a service.

    Returns:
        An access token.
    """
    grant = {"grant_type": "client_credentials", "scope": f"{resource}/.default"}
    return str(_ask(sandbox, grant)["access_token"])


def access_token_of_person(sandbox: Sandbox) -> str:
    """Sign in to a sandbox as a person.

    Args:
        sandbox: A sandbox.

    Returns:
        An access token for the sandbox.
    """
    own = sandbox.settings["refresh_token"]
    return str(_ask(sandbox, {"grant_type": "refresh_token", "refresh_token": own})["access_token"])


def refresh_token(sandbox: Sandbox) -> str:
    """Request a new refresh token of the confidential app, which no other flow uses.

    Args:
        sandbox: A sandbox.

    Returns:
        The refresh token.
    """
    own = sandbox.settings["refresh_token"]
    return str(
        _ask(sandbox, {"grant_type": "refresh_token", "refresh_token": own})["refresh_token"]
    )


def _ask(sandbox: Sandbox, grant: dict[str, str]) -> dict[str, Any]:
    client = {name: sandbox.settings[name] for name in ("client_id", "client_secret")}
    response = requests.post(sandbox.settings["token_uri"], data=client | grant, timeout=SECONDS)
    answer: dict[str, Any] = response.json()
    return answer
