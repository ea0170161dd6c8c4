"""Sign-ins of people that have begun: authorization codes and device codes.

Sources: RFC 6749 section 4.1, RFC 7636 (PKCE), RFC 8628 (device authorization grant); Microsoft
Learn, "OAuth 2.0 authorization code flow", "OAuth 2.0 device authorization grant flow", "Redirect
URI (reply URL) restrictions".
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sandbox.identity.errors import (
    AUTHORIZATION_DECLINED,
    AUTHORIZATION_PENDING,
    BAD_VERIFICATION_CODE,
    EXPIRED_TOKEN,
    INVALID_GRANT,
    INVALID_REQUEST,
    TokenError,
    require,
)

# Hosts of the redirect URIs of both apps; the port is ignored.
REDIRECT_HOSTS = frozenset({"localhost", "127.0.0.1"})
# Letters and digits that people do not confuse.
USER_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass
class CodeSignIn:
    """A person's sign-in for which the app has not redeemed the authorization code yet."""

    client: str
    scope: str
    redirect_uri: str
    challenge: str = ""
    redeemed: bool = False


@dataclass
class DeviceSignIn:
    """A device that waits until a person approves or declines."""

    client: str
    scope: str
    user_code: str
    ends: float
    approved: bool | None = None
    redeemed: bool = False


@dataclass
class SignIns:
    """Sign-ins in progress.

    Attributes:
        device_code_lifetime: Lifetime of a device code in seconds.
        device_code_interval: Seconds that a device must wait between two polls.
        issued: All codes issued so far.
    """

    device_code_lifetime: int = 900
    device_code_interval: int = 5
    issued: list[str] = field(default_factory=list)
    _codes: dict[str, CodeSignIn] = field(default_factory=dict)
    _devices: dict[str, DeviceSignIn] = field(default_factory=dict)

    def check_redirect(self, client: str, redirect_uri: str) -> None:
        """Check a redirect URI.

        Args:
            client: Id of the app.
            redirect_uri: The redirect URI.

        Raises:
            TokenError: The app is not registered with this redirect URI.
        """
        parts = urlsplit(redirect_uri)
        plain = parts.path in {"", "/"} and not parts.query and not parts.fragment
        if parts.scheme != "http" or parts.hostname not in REDIRECT_HOSTS or not plain:
            text = (
                f"The redirect URI '{redirect_uri}' specified in the request does not match the "
                f"redirect URIs configured for the application '{client}'."
            )
            raise TokenError(INVALID_REQUEST, 50011, text)

    def authorized(self, signed_in: CodeSignIn) -> str:
        """Issue an authorization code.

        Args:
            signed_in: The sign-in that the code stands for.
        """
        code = f"sandbox-code-{secrets.token_urlsafe(24)}"
        self._codes[code] = signed_in
        self.issued.append(code)
        return code

    def exchange(self, form: dict[str, str], client: str) -> CodeSignIn:
        """Redeem an authorization code.

        Args:
            form: Fields of the token request.
            client: Id of the app, which is authenticated already.

        Raises:
            TokenError: The code is invalid, or was issued for another request.
        """
        require(form, "code", "redirect_uri")
        found = self._codes.get(form["code"])
        if found is None or found.client != client:
            text = "The authorization code is malformed or was issued to another application."
            raise TokenError(INVALID_GRANT, 9002313, text)
        if found.redeemed:
            raise _redeemed()
        if form["redirect_uri"] != found.redirect_uri:
            text = (
                f"The reply address '{form['redirect_uri']}' does not match the reply address "
                f"'{found.redirect_uri}' provided when requesting Authorization code."
            )
            raise TokenError(INVALID_REQUEST, 500112, text)
        if found.challenge and found.challenge != _challenge(form.get("code_verifier", "")):
            text = (
                "The Code_Verifier does not match the code_challenge supplied in the "
                "authorization request."
            )
            raise TokenError(INVALID_GRANT, 501481, text)
        found.redeemed = True
        return found

    def device(self, client: str, scope: str, verification_uri: str) -> dict[str, Any]:
        """Issue a device code.

        Args:
            client: Id of the app.
            scope: Scopes that the app asks for.
            verification_uri: Page where the person enters the code.

        Returns:
            Response of the device authorization endpoint.
        """
        device_code = f"sandbox-device-{secrets.token_urlsafe(24)}"
        user_code = "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(9))
        ends = time.time() + self.device_code_lifetime
        self._devices[device_code] = DeviceSignIn(client, scope, user_code, ends)
        self.issued.append(device_code)
        return {
            "user_code": user_code,
            "device_code": device_code,
            "verification_uri": verification_uri,
            "expires_in": self.device_code_lifetime,
            "interval": self.device_code_interval,
            "message": "To sign in, use a web browser to open the page "
            f"{verification_uri} and enter the code {user_code} to authenticate.",
        }

    def waiting(self, user_code: str) -> DeviceSignIn | None:
        """Return the device that waits with a user code, if there is one."""
        typed = user_code.strip().upper()
        for device in self._devices.values():
            if device.user_code == typed and device.approved is None and device.ends > time.time():
                return device
        return None

    def poll(self, form: dict[str, str], client: str) -> DeviceSignIn:
        """Redeem a device code, if a person has approved it.

        Args:
            form: Fields of the token request.
            client: Id of the app.

        Raises:
            TokenError: The sign-in is pending, declined, expired or unknown.
        """
        require(form, "device_code")
        device = self._devices.get(form["device_code"])
        if device is None or device.client != client:
            text = "The verification code is not valid."
            raise TokenError(BAD_VERIFICATION_CODE, 70018, text)
        if device.redeemed:
            raise _redeemed()
        if device.approved is False:
            text = "User declined to consent to access the app."
            raise TokenError(AUTHORIZATION_DECLINED, 65004, text)
        if device.ends <= time.time():
            text = (
                "The provided value for the input parameter 'device_code' is not valid. This "
                "device code has expired."
            )
            raise TokenError(EXPIRED_TOKEN, 70020, text)
        if device.approved is None:
            text = "OAuth 2.0 device flow error. Authorization is pending. Continue polling."
            raise TokenError(AUTHORIZATION_PENDING, 70016, text)
        device.redeemed = True
        return device


def _redeemed() -> TokenError:
    text = (
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use "
        "an existing refresh token."
    )
    return TokenError(INVALID_GRANT, 54005, text)


def _challenge(verifier: str) -> str:
    """Return the challenge `S256` of a verifier (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
