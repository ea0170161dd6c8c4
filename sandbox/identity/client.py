"""Client of the sign-in host's part of the control API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from sandbox.identity.errors import INVALID_GRANT, TokenError


class IdentityClient(ABC):
    """Orders that concern tokens, apps and persons who sign in.

    Attributes:
        announced: Everything that the process printed when it was ready.
    """

    announced: dict[str, str]

    @abstractmethod
    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  - JSON
        """Send a control request and return its response."""

    @abstractmethod
    def fault(self, path: str = "", **what: Any) -> None:
        """Order a fault."""

    def expire_tokens(self) -> None:
        """Expire all access tokens."""
        self.ask("POST", "tokens/expire")

    def revoke(self, refresh_token: str, reason: str = "revoked") -> None:
        """Refuse a refresh token from now on.

        Args:
            refresh_token: The token.
            reason: `revoked`, `inactive` or `expired`.
        """
        self.ask("POST", "tokens/revoke", {"refresh_token": refresh_token, "reason": reason})

    def refuse_sign_in(
        self, code: int, error: str = INVALID_GRANT, status: int = 400, **fault: Any
    ) -> None:
        """Refuse the next token request with an error code of Entra ID.

        Args:
            code: Number of the code, such as 50076.
            error: OAuth 2.0 error that goes with the code.
            status: Status of the response.
            **fault: Further attributes of `sandbox.faults.fault.Fault`.
        """
        body = TokenError(error, code, "Refused, as ordered.", status).body()
        self.fault("/token", method="POST", status=status, body=body, **fault)

    def issued(self) -> list[str]:
        """Return every token and code that was issued so far, and every assertion that was sent."""
        found: list[str] = self.ask("GET", "tokens")
        return found

    def register_certificate(self, certificate: str) -> str:
        """Allow the confidential app to sign in with a certificate.

        Args:
            certificate: The certificate in PEM.

        Returns:
            Thumbprint, as the app registration shows it.
        """
        thumbprint: str = self.ask("POST", "certificates", {"certificate": certificate})
        return thumbprint

    def add_app(self, client_id: str, client_secret: str) -> None:
        """Register another confidential app, which has an application user.

        Args:
            client_id: The id of the app.
            client_secret: Its secret.
        """
        self.ask("POST", "apps", {"client_id": client_id, "client_secret": client_secret})

    def trust(self, issuer: str, subject: str, public_key: str) -> None:
        """Allow the confidential app to sign in with tokens of another issuer (workload identity).

        Args:
            issuer: Claim `iss` of the issuer's tokens.
            subject: Claim `sub` of the issuer's tokens.
            public_key: Public key in PEM that verifies the tokens.
        """
        order = {"issuer": issuer, "subject": subject, "public_key": public_key}
        self.ask("POST", "federations", {"client": self.announced["client_id"], **order})

    def approve_device(self, user_code: str) -> None:
        """Sign in for a device code, without a browser."""
        self.ask("POST", "devices", {"user_code": user_code, "approved": True})

    def decline_device(self, user_code: str) -> None:
        """Cancel the sign-in for a device code, without a browser."""
        self.ask("POST", "devices", {"user_code": user_code, "approved": False})
