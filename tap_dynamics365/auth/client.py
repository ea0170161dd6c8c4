"""The app registration that asks for tokens, and the proof that it is the one that asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_dynamics365.auth.certificate import Certificate
    from tap_dynamics365.settings import Settings

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Client:
    """The app registration that the settings name.

    Args:
        settings: Its ID, and its certificate or secret. A public client has neither, and is
            refused when it sends one.

    Raises:
        SettingsError: The certificate is not usable.
    """

    def __init__(self, settings: Settings) -> None:
        self.client_id = settings.client_id or ""
        self._secret = settings.client_secret
        self._certificate: Certificate | None = None
        if settings.client_certificate:
            # Imported when it is needed, for what it builds on takes time.
            from tap_dynamics365.auth.certificate import load  # noqa: PLC0415

            self._certificate = load(
                settings.client_certificate, settings.client_certificate_password
            )

    def fields(self, token_uri: str) -> dict[str, str]:
        """Tell a host who asks (RFC 6749, section 2.3.1; RFC 7523, section 2.2).

        Args:
            token_uri: Where the form goes.

        Returns:
            Fields of the form.
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
