"""Authorization request: the authorization-code grant with PKCE (RFC 6749, 7636 and 8252).

For Microsoft Entra ID, see https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from tap_dynamics365.auth import refusals
from tap_dynamics365.auth.tenant import SIGN_IN_HOSTS
from tap_dynamics365.errors import SignInError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.auth.token_endpoint import Tokens
    from tap_dynamics365.login.app import App


@dataclass(frozen=True)
class Authorization:
    """A request to a person to sign in.

    Attributes:
        app: The app registration.
        redirect_uri: Where the sign-in host leads the browser afterwards.
        state: What tells the redirect of this request from any other.
        verifier: What only the one who began the request knows.
    """

    app: App
    redirect_uri: str
    state: str = field(default_factory=partial(secrets.token_urlsafe, 32), repr=False)
    verifier: str = field(default_factory=partial(secrets.token_urlsafe, 64), repr=False)

    @property
    def address(self) -> str:
        """The address at which the person signs in."""
        challenge = urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest())
        query = {
            "client_id": self.app.client_id,
            "response_type": "code",
            "response_mode": "query",
            "redirect_uri": self.redirect_uri,
            "scope": self.app.scope,
            "state": self.state,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        if urlsplit(self.app.tenant.authorization_uri).hostname in SIGN_IN_HOSTS:
            # The browser may already be signed in with another account. Not every other host
            # supports this parameter of OpenID Connect.
            query["prompt"] = "select_account"
        return f"{self.app.tenant.authorization_uri}?{urlencode(query)}"

    def has_sent(self, parameters: Mapping[str, str]) -> bool:
        """Tell whether a redirect belongs to this request.

        Any other may belong to an earlier sign-in, or be forged by another page (RFC 6749,
        section 10.12).

        Args:
            parameters: What the sign-in host added to the address.
        """
        return secrets.compare_digest(parameters.get("state", "").encode(), self.state.encode())

    def redeem(self, parameters: Mapping[str, str]) -> Tokens:
        """Exchange the authorization code of a redirect for tokens.

        Args:
            parameters: What the sign-in host added to the address (RFC 6749, section 4.1.2).

        Returns:
            The tokens.

        Raises:
            SignInError: The person or the host refused, or was not reached.
        """
        exchange = self.app.service.client.retrying(self.app.tokens)
        return exchange(
            grant_type="authorization_code",
            code=_code(parameters),
            redirect_uri=self.redirect_uri,
            code_verifier=self.verifier,
        )


def _code(parameters: Mapping[str, str]) -> str:
    """Return the authorization code of a redirect (RFC 6749, section 4.1.2)."""
    if code := parameters.get("code"):
        return code
    refusal = refusals.read(json.dumps(dict(parameters)))
    reason = refusal.sentence if refusal else "The sign-in host sent no code."
    msg = f"Sign-in was refused: {reason}"
    raise SignInError(msg)
