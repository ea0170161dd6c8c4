"""Basic: the sign-in of on-premises servers with a user and a password or access key (RFC 7617)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_dynamics365.auth.authenticator import Authenticator

if TYPE_CHECKING:
    import requests

    from tap_dynamics365.settings import Settings


class BasicAuthenticator(Authenticator):
    """Sends the user and the password with each request.

    Args:
        settings: The settings, with user and password.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._user = settings.user or ""
        # Section 2.1 of the RFC: UTF-8. requests itself uses Latin-1.
        pair = f"{self._user}:{settings.password or ''}"
        self._authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"

    @override
    def sign_in(self) -> None:
        self.log_sign_in(self._user, "Signing in")

    @override
    def authenticate_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._authorization
        return request

    @override
    def advice(self, service_url: str) -> str:
        return (
            "Check user and password. For Business Central, password is the web service access key "
            "of the user. Services in the cloud do not support Basic."
        )
