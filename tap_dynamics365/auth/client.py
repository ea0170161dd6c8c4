"""Client authentication: identifies the app registration in a token request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_dynamics365.auth.certificate import Certificate
    from tap_dynamics365.settings import Settings

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Client:
    """The app registration in the settings.

    Args:
        settings: Its ID, and its certificate or secret. A public client has neither, and hosts
            refuse a public client that sends one.

    Raises:
        SettingsError: The certificate can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        self.client_id = settings.client_id or ""
        self._secret = settings.client_secret
        self._certificate: Certificate | None = None
        if settings.client_certificate:
            # Imported only when needed, because cryptography is optional and slow to import.
            from tap_dynamics365.auth.certificate import load  # noqa: PLC0415

            self._certificate = load(
                settings.client_certificate, settings.client_certificate_password
            )

    def fields(self, token_uri: str) -> dict[str, str]:
        """Return the form fields that identify the app (RFC 6749, 2.3.1; RFC 7523, 2.2).

        Args:
            token_uri: The endpoint that the form is sent to.

        Returns:
            The values by field name.
        """
        if self._certificate is not None:
            return {
                "client_id": self.client_id,
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": self._certificate.assertion(self.client_id, token_uri),
            }
        if self._secret:
            return {"client_id": self.client_id, "client_secret": self._secret}
        return {"client_id": self.client_id}
