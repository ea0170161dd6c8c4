"""Which grant the settings call for, told by which of them are present, as in the driver."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NTLM = "ntlm"


class Grant(Enum):
    """A way to sign in; the value is the setting that calls for it."""

    NTLM = "authentication_method"
    AZURE = "azure_credential"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a setting
    CLIENT_CERTIFICATE = "client_certificate"
    CLIENT_SECRET = "client_secret"  # noqa: S105 - as above
    ACCESS_TOKEN = "access_token"  # noqa: S105 - as above


def choose(given: Mapping[str, Any]) -> Grant | None:
    """Choose the grant.

    Args:
        given: The settings that have a value.

    Returns:
        The first that the settings call for: NTLM and Azure are asked for by name; then a
        refresh token, be it in the token store; then an app that signs in as itself; at last an
        access token, which can't be renewed. None if there is no way to sign in.
    """
    if str(given.get("authentication_method", "")).lower() == NTLM:
        return Grant.NTLM
    if "azure_credential" in given:
        return Grant.AZURE
    if "refresh_token" in given or stores_token(given):
        return Grant.REFRESH_TOKEN
    for grant in (Grant.CLIENT_CERTIFICATE, Grant.CLIENT_SECRET, Grant.ACCESS_TOKEN):
        if grant.value in given:
            return grant
    return None


def stores_token(given: Mapping[str, Any]) -> bool:
    """Tell whether there is a token store that something was written to.

    Args:
        given: The settings that have a value.
    """
    if "token_store" not in given:
        return False
    try:
        return Path(given["token_store"]).expanduser().stat().st_size > 0
    except (OSError, RuntimeError, ValueError):
        return False
