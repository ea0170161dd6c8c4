"""What an access token says of itself: why a service may refuse it, and whose it is."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from tap_dynamics365.redaction import printable

# Claims that name a person, the most telling first.
# https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
PERSON = ("upn", "preferred_username", "unique_name", "email", "name")
# Claims that name the app: of a token of version 1 and 2.
APP = ("appid", "azp")


def fault(token: str, service_url: str) -> str | None:
    """Find out what is wrong with a token.

    It is read, not verified (RFC 7519, section 4.1): it is ours, and the service has refused it.

    Args:
        token: The access token.
        service_url: The address of the service that refused it.

    Returns:
        What follows "the token …", or None if nothing can be seen.
    """
    claims = _claims(token)
    end = claims.get("exp")
    if isinstance(end, (int, float)) and 0 < end < datetime.now(UTC).timestamp():
        return f"expired at {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M} UTC"
    audience = claims.get("aud")
    meant = _host(audience) if isinstance(audience, str) else ""
    if meant and _plain(meant) != _plain(_host(service_url)):
        return f"was issued for {meant}, not for the host of service_url"
    return None


def holder(token: str) -> str:
    """Tell whom a service takes the holder of a token for.

    It is read, not verified: it is ours, and nothing is decided by it.

    Args:
        token: The access token.

    Returns:
        The account of a person, or `app` and the ID of an app that acts for itself; nothing if
        the token does not tell.
    """
    claims = _claims(token)
    if person := _first(claims, PERSON):
        return person
    # With a scope, the app acts for a person whom the token does not name.
    app = "" if "scp" in claims else _first(claims, APP)
    return f"app {app}" if app else ""


def _first(claims: dict[str, Any], names: tuple[str, ...]) -> str:
    """Find the first of some claims that is a text."""
    texts = (claims.get(name) for name in names)
    return next((line for text in texts if isinstance(text, str) and (line := printable(text))), "")


def _claims(token: str) -> dict[str, Any]:
    """Read the claims of a JSON Web Token; of another token there are none."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (LookupError, ValueError, RecursionError):
        return {}
    if not isinstance(claims, dict):
        return {}
    end = claims.get("exp")
    # A moment that datetime can't express tells nothing.
    if isinstance(end, bool) or (isinstance(end, (int, float)) and not -math.inf < end < 2**37):
        del claims["exp"]
    return claims


def _host(address: str) -> str:
    """Tell the host of an address; the ID of an app is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _plain(host: str) -> str:
    """Write the host of an environment in one way: `org.api.crm…` is `org.crm…` too."""
    return host.replace(".api.", ".", 1)
