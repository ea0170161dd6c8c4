"""Sign-in: one authenticator class for each grant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_dynamics365.auth.access_token import is_for
from tap_dynamics365.auth.authenticator import AccessTokenAuthenticator, Authenticator
from tap_dynamics365.auth.basic import BasicAuthenticator
from tap_dynamics365.auth.grants import (
    OFFLINE_ACCESS,
    ClientCredentialsAuthenticator,
    OtherResourceAuthenticator,
    RefreshTokenAuthenticator,
)
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.settings.grant import Grant

if TYPE_CHECKING:
    from tap_dynamics365.http.throttle import Throttle
    from tap_dynamics365.http.traffic import Traffic
    from tap_dynamics365.settings import Settings

__all__ = ["Authenticator", "authenticator", "authenticator_for", "way"]


def way(settings: Settings) -> str:
    """Describe how the tap signs in.

    Args:
        settings: The checked settings.

    Returns:
        A phrase that completes "signs in with …"; empty if no grant is configured.
    """
    match settings.grant:
        case None:
            return ""
        case Grant.NTLM:
            return "NTLM"
        case Grant.BASIC:
            return "Basic"
        case Grant.AZURE:
            return f"azure_credential={settings.azure_credential}"
        case Grant.REFRESH_TOKEN if not settings.refresh_token:
            return "the refresh token in token_store"
        case grant:
            return str(grant.value)


def authenticator(
    settings: Settings, throttle: Throttle | None = None, traffic: Traffic | None = None
) -> Authenticator:
    """Create the authenticator of the configured grant. No request is sent yet.

    Args:
        settings: The checked settings.
        throttle: Pauses all requests, including those for tokens.
        traffic: Counts requests and bytes.

    Returns:
        The authenticator, which signs each request.

    Raises:
        SettingsError: The certificate can't be used, or an extra is not installed.
    """
    created = _create(settings, throttle, traffic)
    created.way = way(settings)
    return created


def authenticator_for(
    settings: Settings,
    url: str,
    permission: str,
    throttle: Throttle | None = None,
    traffic: Traffic | None = None,
) -> Authenticator:
    """Create the authenticator of the configured grant for another service.

    Args:
        settings: The checked settings.
        url: The root of the other service, which is a resource of its own.
        permission: The delegated permission to request for it.
        throttle: Pauses all requests, including those for tokens.
        traffic: Counts requests and bytes.

    Returns:
        The authenticator, which signs each request to the other service.

    Raises:
        SettingsError: The access token in the settings is for a service that is not this one, or
            an extra is not installed.
    """
    other = replace(settings, service_url=url, url_options={}, scope=None)
    if settings.grant is Grant.REFRESH_TOKEN:
        scope = f"{other.origin}/{permission} {OFFLINE_ACCESS}"
        return OtherResourceAuthenticator(settings, other.origin, scope, throttle, traffic)
    if settings.grant is Grant.ACCESS_TOKEN and not is_for(settings.access_token or "", url):
        msg = (
            f"The token in access_token was not issued for {urlsplit(url).hostname}, and is not "
            "sent there: set client_id and refresh_token, or sign in with dynamics365 login."
        )
        raise SettingsError(msg)
    return _create(other, throttle, traffic)


def _create(
    settings: Settings, throttle: Throttle | None, traffic: Traffic | None
) -> Authenticator:
    match settings.grant:
        case Grant.NTLM:
            # Imported only when needed, because the packages of an extra may be missing and are
            # slow to import.
            from tap_dynamics365.auth.ntlm import NtlmAuthenticator  # noqa: PLC0415

            return NtlmAuthenticator(settings)
        case Grant.AZURE:
            from tap_dynamics365.auth.azure import AzureAuthenticator  # noqa: PLC0415

            return AzureAuthenticator(settings, throttle, traffic)
        case Grant.BASIC:
            return BasicAuthenticator(settings)
        case Grant.REFRESH_TOKEN:
            return RefreshTokenAuthenticator(settings, throttle, traffic)
        case Grant.CLIENT_CERTIFICATE | Grant.CLIENT_SECRET:
            return ClientCredentialsAuthenticator(settings, throttle, traffic)
        case _:
            return AccessTokenAuthenticator(settings)
