"""What the HTTP layer expects of a sign-in: it signs requests and renews its token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import requests


class Signer(Protocol):
    """Signs requests to one service.

    Attributes:
        way: How it signs in, as the log says it; empty for a sign-in that is not logged.
        signed_in_as: The account that has signed in; empty if it is not known.
        tenant: The ID of the tenant that issued the access token; empty if it is not known.
    """

    way: str
    signed_in_as: str
    tenant: str

    @property
    def lifetime(self) -> float | None:
        """Seconds for which the access token is still valid; None if that is not known."""

    def __call__(self, request: requests.PreparedRequest, /) -> requests.PreparedRequest:
        """Sign a request."""

    def sign_in(self) -> None:
        """Get an access token if there is none that is valid.

        Raises:
            SignInError: The sign-in host gave no token.
        """

    def renew(self, sent_at: float) -> bool:
        """Replace an access token that the service refused.

        Args:
            sent_at: When the refused request was sent, by `time.monotonic`.

        Returns:
            Whether a retry carries another token.
        """

    def advice(self, service_url: str) -> str:
        """Say why the service may have refused the token, and what to do.

        Args:
            service_url: The address of the service.
        """
