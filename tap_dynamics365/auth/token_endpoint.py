"""Token endpoint: sends forms to a sign-in host, and reads the tokens in its responses."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from tap_dynamics365.auth import refusals
from tap_dynamics365.errors import WEB_PAGE, SignInError, TransientSignInError
from tap_dynamics365.http.session import failure_reason
from tap_dynamics365.redaction import ONE_WORD

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds to wait for a sign-in host, which usually answers within 2 seconds.
TIMEOUT = 60.0

# The secret fields of a form. A host may repeat them in its message.
SECRET_FIELDS = {
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "password",
    "refresh_token",
}


@dataclass(frozen=True)
class Tokens:
    """The tokens in a response of a sign-in host.

    Args:
        access_token: The access token.
        expires_in: The lifetime of the access token in seconds; None if it is not known.
        refresh_token: The new refresh token; None if the host issued none.
    """

    access_token: str = field(repr=False)
    expires_in: float | None = None
    refresh_token: str | None = field(default=None, repr=False)


class TokenEndpoint:
    """An endpoint of a sign-in host that accepts forms and answers with JSON.

    Args:
        uri: The address of the endpoint.
        session: A session of `open_session`.
        timeout: Seconds to wait for a response.
        is_reached: Whether the host has given a valid response before; kept as an attribute. A
            response that is not one of OAuth 2.0 is permanent before, and transient from then on.
    """

    def __init__(
        self,
        uri: str,
        session: requests.Session,
        timeout: float = TIMEOUT,
        *,
        is_reached: bool = False,
    ) -> None:
        self.uri = uri
        self.is_reached = is_reached
        self._session = session
        self._timeout = timeout

    def request(self, form: Mapping[str, str]) -> Tokens:
        """Request tokens (RFC 6749, sections 4.4.2, 5.1 and 6).

        Args:
            form: The fields of the grant.

        Returns:
            The tokens.

        Raises:
            SignInError: The host refused, or its response can't be understood.
            TransientSignInError: A retry may help.
        """
        response = self._response(form)
        answer = self._object(response)
        access_token, refresh_token = answer.get("access_token"), answer.get("refresh_token")
        if not isinstance(access_token, str) or not ONE_WORD.fullmatch(access_token):
            msg = f"The response of {self._host} contains no access token. Check token_uri."
            raise self._invalid(msg, response)
        self.is_reached = True
        return Tokens(
            access_token,
            lifetime(answer.get("expires_in")),
            refresh_token if isinstance(refresh_token, str) and refresh_token else None,
        )

    def post(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Send a form.

        Args:
            form: The fields of the form.

        Returns:
            The JSON object in the response.

        Raises:
            SignInError: The host refused, or its response is not a JSON object.
            TransientSignInError: A retry may help.
        """
        return self._object(self._response(form))

    def _response(self, form: Mapping[str, str]) -> requests.Response:
        """Send a form, and raise if the host refused."""
        try:
            response = self._session.post(
                self.uri,
                data=dict(form),
                headers={"Accept": "application/json"},
                # A form with secrets is not sent to another address.
                allow_redirects=False,
                timeout=self._timeout,
            )
        except requests.RequestException as error:
            msg = f"The sign-in host {self._host} could not be reached. {failure_reason(error)}"
            raise TransientSignInError(msg) from None
        if response.status_code != requests.codes.ok:
            secrets = [value for name, value in form.items() if name in SECRET_FIELDS]
            refusals.check(response, secrets, is_reached=self.is_reached)
        return response

    def _object(self, response: requests.Response) -> dict[str, Any]:
        """Read the JSON object in a response, and raise if there is none."""
        try:
            answer = json.loads(response.content)
        except (ValueError, RecursionError):
            if not refusals.is_web_page(response):
                msg = (
                    f"The response of the sign-in host {self._host} is cut off, or is not JSON. "
                    "Check token_uri."
                )
                raise TransientSignInError(msg, response) from None
            answer = None
        if not isinstance(answer, dict):
            what = WEB_PAGE if refusals.is_web_page(response) else "JSON that is not an object"
            msg = f"The sign-in host {self._host} answered with {what}. Check token_uri."
            raise self._invalid(msg, response)
        return answer

    def _invalid(self, message: str, response: requests.Response) -> SignInError:
        """Make the error of a response that is not one of OAuth 2.0."""
        if self.is_reached:
            return TransientSignInError(message, response)
        return SignInError(message)

    @property
    def _host(self) -> str:
        return urlsplit(self.uri).netloc


def lifetime(seconds: object) -> float | None:
    """Read `expires_in`, which is a number in some responses and a text in others.

    Args:
        seconds: The value in the response.

    Returns:
        The seconds; None if the value is missing or not a positive number.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float, str)):
        return None
    try:
        number = float(seconds)
    except (ValueError, OverflowError):
        return None
    return number if 0 < number < math.inf else None
