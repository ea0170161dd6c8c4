"""Sign-in: one class a grant. Nothing else in the tap knows what a token is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.auth.authenticator import AccessTokenAuthenticator, Authenticator
from tap_dynamics365.auth.grants import ClientCredentialsAuthenticator, RefreshTokenAuthenticator
from tap_dynamics365.settings.grant import Grant

if TYPE_CHECKING:
    from tap_dynamics365.http.throttle import Throttle
    from tap_dynamics365.http.traffic import Traffic
    from tap_dynamics365.settings import Settings

__all__ = ["Authenticator", "authenticator", "way"]


def way(settings: Settings) -> str:
    """Tell in a few words how the tap signs in.

    Args:
        settings: The checked settings.

    Returns:
        What follows "signs in with …"; nothing where there is no way.
    """
    match settings.grant:
        case None:
            return ""
        case Grant.NTLM:
            return "NTLM"
        case Grant.AZURE:
            return f"azure_credential={settings.azure_credential}"
        case Grant.REFRESH_TOKEN if not settings.refresh_token:
            return "the refresh token in token_store"
        case grant:
            return str(grant.value)


def authenticator(
    settings: Settings, throttle: Throttle | None = None, traffic: Traffic | None = None
) -> Authenticator:
    """Set up the grant that the settings call for.

    Args:
        settings: The checked settings.
        throttle: Holds all requests back, those for tokens too.
        traffic: Counts them.

    Returns:
        What signs each request. Nothing has been sent to the sign-in host yet.

    Raises:
        SettingsError: The certificate is not usable, or an extra is not installed.
    """
    made = _made(settings, throttle, traffic)
    made.way = way(settings)
    return made


def _made(settings: Settings, throttle: Throttle | None, traffic: Traffic | None) -> Authenticator:
    match settings.grant:
        case Grant.NTLM:
            # Imported where they are needed, for what they build on takes time.
            from tap_dynamics365.auth.ntlm import NtlmAuthenticator  # noqa: PLC0415

            return NtlmAuthenticator(settings)
        case Grant.AZURE:
            from tap_dynamics365.auth.azure import AzureAuthenticator  # noqa: PLC0415

            return AzureAuthenticator(settings, throttle, traffic)
        case Grant.REFRESH_TOKEN:
            return RefreshTokenAuthenticator(settings, throttle, traffic)
        case Grant.CLIENT_CERTIFICATE | Grant.CLIENT_SECRET:
            return ClientCredentialsAuthenticator(settings, throttle, traffic)
        case _:
            return AccessTokenAuthenticator(settings)
