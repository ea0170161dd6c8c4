"""The token endpoint of a sign-in host: a form goes in, tokens come out."""

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

#: Seconds to wait for a sign-in host, which answers in one or two.
TIMEOUT = 60.0

# Fields of a form that nobody may see, should a host repeat them in its words.
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
    """What a sign-in host gives.

    Args:
        access_token: What opens the service.
        expires_in: How many seconds it is good for, or None if that was not said.
        refresh_token: What gets the next one, if the host gave a new one.
    """

    access_token: str = field(repr=False)
    expires_in: float | None = None
    refresh_token: str | None = field(default=None, repr=False)


class TokenEndpoint:
    """An address of a sign-in host that takes forms and answers JSON.

    Args:
        uri: The address.
        session: Made by `session`.
        timeout: Seconds to wait for an answer.
        is_reached: Whether the host gave a good answer before, which is kept as an attribute. An
            answer that is none of an OAuth 2.0 host is final before, and transient from then on.
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
        """Ask for tokens (RFC 6749, sections 4.4.2, 5.1 and 6).

        Args:
            form: The fields of the grant.

        Returns:
            The tokens.

        Raises:
            SignInError: The host refused, or its answer makes no sense.
            TransientSignInError: It may do so later.
        """
        response = self._response(form)
        answer = self._object(response)
        access_token, refresh_token = answer.get("access_token"), answer.get("refresh_token")
        if not isinstance(access_token, str) or not ONE_WORD.fullmatch(access_token):
            msg = f"The answer of {self._host} has no access token in it: check token_uri."
            raise self._strange(msg, response)
        self.is_reached = True
        return Tokens(
            access_token,
            lifetime(answer.get("expires_in")),
            refresh_token if isinstance(refresh_token, str) and refresh_token else None,
        )

    def answer(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Send a form.

        Args:
            form: Its fields.

        Returns:
            The object that the host answered.

        Raises:
            SignInError: The host refused, or its answer is none.
            TransientSignInError: It may do so later.
        """
        return self._object(self._response(form))

    def _response(self, form: Mapping[str, str]) -> requests.Response:
        """Send a form, and raise if the host refused."""
        try:
            response = self._session.post(
                self.uri,
                data=dict(form),
                headers={"Accept": "application/json"},
                # A form with secrets in it goes to the address it was meant for, and no other.
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
        """Read the object in an answer, and raise if there is none."""
        try:
            answer = json.loads(response.content)
        except (ValueError, RecursionError):
            if not refusals.is_web_page(response):
                msg = (
                    f"The answer of the sign-in host {self._host} is cut off, or is not JSON; "
                    "check token_uri."
                )
                raise TransientSignInError(msg, response) from None
            answer = None
        if not isinstance(answer, dict):
            what = WEB_PAGE if refusals.is_web_page(response) else "something else than an object"
            msg = f"The sign-in host {self._host} answered with {what}; check token_uri."
            raise self._strange(msg, response)
        return answer

    def _strange(self, message: str, response: requests.Response) -> SignInError:
        """Make the error of an answer that is none of a sign-in host."""
        if self.is_reached:
            return TransientSignInError(message, response)
        return SignInError(message)

    @property
    def _host(self) -> str:
        return urlsplit(self.uri).netloc


def lifetime(seconds: object) -> float | None:
    """Read `expires_in`, a number in some answers and a text in others.

    Args:
        seconds: What the host said.

    Returns:
        The seconds, or None if it said nothing that makes sense.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float, str)):
        return None
    try:
        number = float(seconds)
    except (ValueError, OverflowError):
        return None
    return number if 0 < number < math.inf else None
