"""Grant: the way to sign in, determined by the settings that are present, as in the driver."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_dynamics365.settings.choices import AuthenticationMethod

if TYPE_CHECKING:
    from collections.abc import Mapping


class Grant(Enum):
    """A way to sign in. The value is the setting that selects it."""

    NTLM = "authentication_method=NTLM"
    BASIC = "authentication_method=Basic"
    AZURE = "azure_credential"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a setting
    CLIENT_CERTIFICATE = "client_certificate"
    CLIENT_SECRET = "client_secret"  # noqa: S105 - as above
    ACCESS_TOKEN = "access_token"  # noqa: S105 - as above


def choose_grant(given: Mapping[str, Any]) -> Grant | None:
    """Choose the grant.

    The order of precedence: NTLM, Basic and Azure, which are selected by name. Then a refresh
    token, which may be in the token store. Then the certificate or secret of an app that signs in
    as itself. Last an access token, which can't be renewed.

    Args:
        given: The settings that are set, with choices in their own spelling.

    Returns:
        The first grant that the settings select, or None if they select none.
    """
    if given.get("authentication_method") == AuthenticationMethod.NTLM:
        return Grant.NTLM
    if given.get("authentication_method") == AuthenticationMethod.BASIC:
        return Grant.BASIC
    if "azure_credential" in given:
        return Grant.AZURE
    if "refresh_token" in given or _stores_token(given):
        return Grant.REFRESH_TOKEN
    for grant in (Grant.CLIENT_CERTIFICATE, Grant.CLIENT_SECRET, Grant.ACCESS_TOKEN):
        if grant.value in given:
            return grant
    return None


def _stores_token(given: Mapping[str, Any]) -> bool:
    """Tell whether `token_store` is set and its file is not empty."""
    if "token_store" not in given:
        return False
    try:
        return Path(given["token_store"]).expanduser().stat().st_size > 0
    except (OSError, RuntimeError, ValueError):
        return False
