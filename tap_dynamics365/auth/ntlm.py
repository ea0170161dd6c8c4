"""NTLM: the sign-in of on-premises servers."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from typing_extensions import override

from tap_dynamics365.auth.authenticator import Authenticator
from tap_dynamics365.auth.extras import missing
from tap_dynamics365.errors import SignInError

try:
    from requests_ntlm import HttpNtlmAuth
    from spnego.exceptions import SpnegoError
except ImportError:
    _error = missing("authentication_method=NTLM", "ntlm")
    raise _error from None

if TYPE_CHECKING:
    import requests

    from tap_dynamics365.settings import Settings


class _Handshake(HttpNtlmAuth):
    """The handshake of requests-ntlm, with an error that says what to do if it fails."""

    @override
    def response_hook(self, r: requests.Response, **kwargs: Any) -> requests.Response:
        try:
            answer: requests.Response = super().response_hook(r, **kwargs)
        except (SpnegoError, PermissionError, LookupError, ValueError, struct.error):
            msg = (
                f"{urlsplit(r.url).netloc} does not complete the NTLM sign-in: check service_url, "
                "and that Windows authentication is enabled on its web server."
            )
            raise SignInError(msg) from None
        return answer


class NtlmAuthenticator(Authenticator):
    """Signs in connections with the name and password of a Windows user ([MS-NTHT]).

    Args:
        settings: The settings, with domain, user and password.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._account = f"{settings.ntlm_domain}\\{settings.user}"
        self._ntlm = _Handshake(self._account, settings.password)

    @override
    def sign_in(self) -> None:
        self.log_sign_in(self._account, "Signing in")

    @override
    def authenticate_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        signed: requests.PreparedRequest = self._ntlm(request)
        return signed

    @override
    def advice(self, service_url: str) -> str:
        return "Check ntlm_domain, user and password. Services in the cloud do not support NTLM."
