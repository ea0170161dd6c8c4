"""Tenant: the sign-in addresses of a service, discovered from the service itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests

from tap_dynamics365.auth.token_endpoint import TIMEOUT
from tap_dynamics365.errors import SignInError, TransientSignInError
from tap_dynamics365.http.session import failure_reason
from tap_dynamics365.http.status import is_transient

# https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud, and older
# names that services still send.
SIGN_IN_HOSTS = {
    "login.chinacloudapi.cn",
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.windows.net",
}
HTTPS_PORT = 443

NAME_TENANT = "set token_uri, such as https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token."

# A parameter of a challenge (RFC 9110, section 11.2). Dataverse does not quote its value.
_AUTHORIZATION_URI = re.compile(
    r"""\bauthorization(?:_uri)?\s*=\s*(?:"([^"]*)"|([^\s",;]+))""", re.IGNORECASE
)
# An ID or a domain name.
_TENANT = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?")


@dataclass(frozen=True)
class Tenant:
    """The sign-in addresses of a tenant.

    Args:
        token_uri: The token endpoint.
        authorization_uri: The authorization endpoint, which a browser opens.
        device_authorization_uri: The device authorization endpoint (RFC 8628).
    """

    token_uri: str
    authorization_uri: str
    device_authorization_uri: str

    @classmethod
    def from_token_uri(cls, uri: str) -> Tenant:
        """Derive the other addresses from a token endpoint of Microsoft Entra ID.

        Args:
            uri: The token endpoint.

        Returns:
            The tenant.
        """
        return cls(uri, urljoin(uri, "authorize"), urljoin(uri, "devicecode"))


def discover(service_url: str, session: requests.Session, timeout: float = TIMEOUT) -> Tenant:
    """Ask the service where its users sign in, with a request that carries no token.

    https://learn.microsoft.com/power-apps/developer/data-platform/authenticate-oauth

    Args:
        service_url: The address of the service.
        session: A session of `open_session`.
        timeout: Seconds to wait for a response.

    Returns:
        The tenant, at one of Microsoft's own sign-in hosts.

    Raises:
        SignInError: The service named no sign-in host, or an unknown one.
        TransientSignInError: The service was not reached, or a retry may help.
    """
    host = urlsplit(service_url).netloc
    try:
        with session.get(
            service_url, allow_redirects=False, timeout=timeout, stream=True
        ) as answer:
            status = answer.status_code
            challenge = answer.headers.get("WWW-Authenticate", "")
    except requests.RequestException as error:
        msg = f"The service could not be reached to ask where to sign in. {failure_reason(error)}"
        raise TransientSignInError(msg) from None
    if answer.is_redirect:
        # Finance & Operations answers a request without a token with its sign-in page.
        msg = (
            f"{host} answered {status} when asked where to sign in: a redirect, as for a browser. "
            f"If service_url is right, {NAME_TENANT}"
        )
        raise SignInError(msg)
    if status != requests.codes.unauthorized:
        msg = (
            f"{host} answered {status} when asked where to sign in: check service_url, or "
            f"{NAME_TENANT}"
        )
        raise TransientSignInError(msg, answer) if is_transient(status) else SignInError(msg)
    return from_challenge(challenge, host)


def from_challenge(challenge: str, service: str) -> Tenant:
    """Read a service's challenge.

    Args:
        challenge: The header `WWW-Authenticate` of the response 401.
        service: The host of the service, for error messages.

    Returns:
        The tenant, at one of Microsoft's own sign-in hosts.

    Raises:
        SignInError: The challenge names no sign-in host, or an unknown one, to which no secrets
            may be sent.
    """
    found = _AUTHORIZATION_URI.search(challenge)
    if found is None:
        msg = f"{service} does not say where to sign in: {NAME_TENANT}"
        raise SignInError(msg)
    try:
        parts = urlsplit(found[1] or found[2] or "")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    tenant = parts.path.strip("/").partition("/")[0]
    if (
        parts.scheme != "https"
        or host not in SIGN_IN_HOSTS
        or port not in {None, HTTPS_PORT}
        or not _TENANT.fullmatch(tenant)
    ):
        named = host if re.fullmatch(r"[\w.-]{1,253}", host) else "an invalid address"
        msg = (
            f"{service} names {named} as its sign-in host, which is none of Microsoft's known "
            f"sign-in hosts: if it is right, {NAME_TENANT}"
        )
        raise SignInError(msg)
    # Only the host and the tenant of the challenge are used.
    return Tenant.from_token_uri(f"https://{host}/{tenant}/oauth2/v2.0/token")
