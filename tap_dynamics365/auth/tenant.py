"""The tenant of a service: where its users sign in, learnt from the service itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests

from tap_dynamics365.auth.token_endpoint import TIMEOUT
from tap_dynamics365.errors import SignInError, TransientSignInError
from tap_dynamics365.http.session import failure_reason
from tap_dynamics365.http.status import is_transient

# https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud, and the
# older names that services still give.
SIGN_IN_HOSTS = {
    "login.chinacloudapi.cn",
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.windows.net",
}
HTTPS_PORT = 443

BY_HAND = (
    "set token_uri, such as https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token, by hand."
)

# A parameter of a challenge (RFC 9110, section 11.2). Dataverse does not quote the addresses.
_AUTHORIZATION_URI = re.compile(
    r"""\bauthorization(?:_uri)?\s*=\s*(?:"([^"]*)"|([^\s",;]+))""", re.IGNORECASE
)
# An ID or a domain name.
_TENANT = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?")


@dataclass(frozen=True)
class Tenant:
    """Where people and apps of a tenant sign in.

    Args:
        token_uri: Where tokens are issued.
        authorization_uri: Where a person's sign-in begins in a browser.
        device_authorization_uri: Where it begins on another device (RFC 8628).
    """

    token_uri: str
    authorization_uri: str
    device_authorization_uri: str

    @classmethod
    def from_token_uri(cls, uri: str) -> Tenant:
        """Tell the addresses that stand beside a token endpoint at Microsoft Entra ID.

        Args:
            uri: The address where tokens are issued.

        Returns:
            The tenant.
        """
        return cls(uri, urljoin(uri, "authorize"), urljoin(uri, "devicecode"))


def learn(service_url: str, session: requests.Session, timeout: float = TIMEOUT) -> Tenant:
    """Ask the service where its users sign in: it tells everyone who comes without a token.

    https://learn.microsoft.com/power-apps/developer/data-platform/authenticate-oauth

    Args:
        service_url: The address of the Web API.
        session: Made by `session`.
        timeout: Seconds to wait for an answer.

    Returns:
        The tenant, at one of Microsoft's own sign-in hosts.

    Raises:
        SignInError: The service did not say, or named another host.
        TransientSignInError: It was not reached, or may say so later.
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
    if status != requests.codes.unauthorized:
        msg = (
            f"{host} answered {status} when asked where to sign in: check service_url, or {BY_HAND}"
        )
        raise TransientSignInError(msg, answer) if is_transient(status) else SignInError(msg)
    return from_challenge(challenge, host)


def from_challenge(challenge: str, service: str) -> Tenant:
    """Read a service's challenge.

    Args:
        challenge: The header `WWW-Authenticate` of its answer 401.
        service: The name of its host, to be named in an error.

    Returns:
        The tenant, at one of Microsoft's own sign-in hosts.

    Raises:
        SignInError: It names no sign-in host, or another: secrets would go there.
    """
    found = _AUTHORIZATION_URI.search(challenge)
    if found is None:
        msg = f"{service} does not say where to sign in: {BY_HAND}"
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
        named = f"to {host}" if re.fullmatch(r"[\w.-]{1,253}", host) else "to a strange address"
        msg = (
            f"{service} sends {named} to sign in, which is none of Microsoft's known sign-in "
            f"hosts: if it is right, {BY_HAND}"
        )
        raise SignInError(msg)
    # Made anew: nothing else of what the service said gets into the address.
    return Tenant.from_token_uri(f"https://{host}/{tenant}/oauth2/v2.0/token")
