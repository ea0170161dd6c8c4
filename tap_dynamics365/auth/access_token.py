"""Access token: reads its claims, to say why a service refuses it and which account it names."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from tap_dynamics365.redaction import printable

# Claims that name a person, the most specific first.
# https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
PERSON = ("upn", "preferred_username", "unique_name", "email", "name")
# Claims that name the app, in tokens of version 1 and version 2.
APP = ("appid", "azp")
TENANT = "tid"


def fault(token: str, service_url: str) -> str | None:
    """Find out why a service may have refused an access token.

    The claims (RFC 7519, section 4.1) are read without verification, because they only explain a
    refusal.

    Args:
        token: The access token.
        service_url: The address of the service that refused it.

    Returns:
        A phrase that completes "the token …"; None if the claims show no fault.
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


def audience(token: str) -> str:
    """Read the resource that an access token was issued for.

    The claim is read without verification: the service verifies it.

    Args:
        token: The access token.

    Returns:
        A URL without a slash at its end, or the ID of an app; empty if the token does not say.
    """
    claim = _claims(token).get("aud")
    return claim.rstrip("/") if isinstance(claim, str) else ""


def is_for(token: str, url: str) -> bool:
    """Tell whether an access token was issued for the host of a URL, as far as it says so.

    Args:
        token: The access token.
        url: The URL.
    """
    host = _host(audience(token))
    return bool(host) and _plain(host) == _plain(_host(url))


def holder(token: str) -> str:
    """Read which account an access token was issued to.

    The claims are read without verification, because they are only logged.

    Args:
        token: The access token.

    Returns:
        The account of a person, or `app` and the ID of an app that acts for itself; empty if the
        token does not name one.
    """
    claims = _claims(token)
    if person := _first(claims, PERSON):
        return person
    # With the claim `scp`, the app acts for a person whom the token does not name.
    app = "" if "scp" in claims else _first(claims, APP)
    return f"app {app}" if app else ""


def tenant(token: str) -> str:
    """Read which tenant issued an access token.

    Args:
        token: The access token.

    Returns:
        The ID of the tenant; empty if the token does not say.
    """
    return _first(_claims(token), (TENANT,))


def lifetime(token: str) -> float | None:
    """Read how long an access token is still valid.

    Args:
        token: The access token.

    Returns:
        The seconds by the local clock, negative if it has expired; None if the token does not say.
    """
    end = _claims(token).get("exp")
    if not isinstance(end, (int, float)) or end <= 0:
        return None
    return end - datetime.now(UTC).timestamp()


def _first(claims: dict[str, Any], names: tuple[str, ...]) -> str:
    """Return the first of some claims that is a text."""
    texts = (claims.get(name) for name in names)
    return next((line for text in texts if isinstance(text, str) and (line := printable(text))), "")


def _claims(token: str) -> dict[str, Any]:
    """Read the claims of a JSON Web Token; empty for any other token."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (LookupError, ValueError, RecursionError):
        return {}
    if not isinstance(claims, dict):
        return {}
    end = claims.get("exp")
    # datetime can't represent larger numbers.
    if isinstance(end, bool) or (isinstance(end, (int, float)) and not -math.inf < end < 2**37):
        del claims["exp"]
    return claims


def _host(address: str) -> str:
    """Return the host of a URL; empty if the text is the ID of an app."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _plain(host: str) -> str:
    """Normalize the host of an environment: `org.api.crm…` and `org.crm…` are the same."""
    return host.replace(".api.", ".", 1)
