"""What the connection to the service needs of each grant."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from singer_sdk.authenticators import (
    APIAuthenticatorBase,
    BearerTokenAuthenticator,
    OAuthAuthenticator,
)
from typing_extensions import override

from tap_dynamics365.auth import access_token
from tap_dynamics365.errors import Dynamics365Error

if TYPE_CHECKING:
    import requests

    from tap_dynamics365.auth.token_endpoint import Tokens
    from tap_dynamics365.settings import Settings

# A token is renewed this many seconds before it ends, for a request takes time; but not before
# three quarters of its life, lest a short-lived one be renewed for each request.
RENEW_BEFORE_SECONDS = 60
LONGEST_PART = 0.25

logger = logging.getLogger("tap-dynamics365.auth")


class _HeaderAuthenticator(APIAuthenticatorBase):
    """Adds the authorization header, and leaves the URL alone.

    The SDK's base class takes the query apart and writes it anew, even where it has nothing to
    add: links to the next page would not be followed as the service gave them.
    """

    @override
    def authenticate_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self.auth_headers)
        return request


class Authenticator(_HeaderAuthenticator):
    """What the connection to the service needs of each grant.

    Attributes:
        way: How it signs in, as the log tells it; nothing where nobody is to be told.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.way = ""
        # Never released: the first of all requests tells.
        self._telling = Lock()

    def tell(self, whom: str, words: str = "Signed in") -> None:
        """Log how and as whom a run signs in, once.

        Args:
            whom: The account of a person, or an app; nothing if nobody knows.
            words: Whether that is done, or is for the service to decide.
        """
        if not self.way or not self._telling.acquire(blocking=False):
            return
        if whom:
            logger.info("%s as %s with %s.", words, whom, self.way)
        else:
            logger.info("%s with %s; the access token does not say as whom.", words, self.way)

    def sign_in(self) -> None:
        """Sign in where that is a step of its own, and is still to be done.

        Raises:
            SignInError: The sign-in host gave no token.
        """

    def advice(self, service_url: str) -> str:
        """Tell why the service may have refused what it was sent, and what to do.

        Args:
            service_url: The address of the service.

        Returns:
            One sentence or two.
        """
        raise NotImplementedError

    def renew(self, sent_at: float) -> bool:  # noqa: ARG002 - for those that can
        """Replace a token that the service refused.

        Args:
            sent_at: When the request was sent that it refused, by `time.monotonic`.

        Returns:
            Whether a request that is repeated carries another token.
        """
        return False


class AccessTokenAuthenticator(BearerTokenAuthenticator, Authenticator):
    """Uses an access token that somebody else fetched.

    Args:
        settings: Those with an access token.
    """

    def __init__(self, settings: Settings) -> None:
        self._token = settings.access_token or ""
        super().__init__(token=self._token)

    @override
    def sign_in(self) -> None:
        self.tell(access_token.holder(self._token), "Signing in")

    @override
    def advice(self, service_url: str) -> str:
        fault = access_token.fault(self._token, service_url)
        if fault is None:
            fault = "has expired, which it does after about an hour, or is for another service_url"
        return f"The one in access_token {fault}. It can't be renewed: set a new one."


class RenewingAuthenticator(OAuthAuthenticator, Authenticator):
    """Gets access tokens by itself, and a new one in time.

    Subclasses get the tokens. How old one is, is told by a clock that nobody sets, from before it
    was asked for: what the clocks of other machines say does not matter.

    Attributes:
        known_as: Who signs in, for tokens that do not say so.
    """

    known_as = ""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        # By time.monotonic: when the token in use was asked for, and when it is to be renewed.
        self._asked_at = 0.0
        self._renew_at: float | None = None
        self._failure: Dynamics365Error | None = None
        self._failed_at = 0.0

    def fetch(self) -> Tokens:
        """Get an access token.

        Returns:
            It, and how long it is good for.

        Raises:
            SignInError: There is none.
        """
        raise NotImplementedError

    @override
    def advice(self, service_url: str) -> str:
        fault = access_token.fault(self.access_token or "", service_url)
        told = "" if fault is None else f"The one that the sign-in gave {fault}. "
        return f"{told}Check service_url and scope."

    @override
    def sign_in(self) -> None:
        asked_at = time.monotonic()
        # Of the requests in flight one gets a token, the others wait for it; and for its failure:
        # the host that refused one would refuse them all.
        with self._lock:
            if self._failure is not None and self._failed_at > asked_at:
                raise self._failure
            if self.is_token_valid():
                return
            try:
                self.update_access_token()
            except Dynamics365Error as error:
                self._failure, self._failed_at = error, time.monotonic()
                raise

    @override
    def authenticate_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self.sign_in()
        request.headers["Authorization"] = f"Bearer {self.access_token}"
        return request

    @override
    def renew(self, sent_at: float) -> bool:
        with self._lock:
            # Once for all requests that were refused together.
            if self._asked_at <= sent_at:
                self.last_refreshed = None
        return True

    @override
    def is_token_valid(self) -> bool:
        if self.last_refreshed is None:
            return False
        # Of an unknown lifetime it is the service that tells the end.
        return self._renew_at is None or time.monotonic() < self._renew_at

    @override
    def update_access_token(self) -> None:
        """Get an access token, and see how long it is good for."""
        asked_at = time.monotonic()
        tokens = self.fetch()
        lifetime = tokens.expires_in
        self.access_token = tokens.access_token
        self.expires_in = None if lifetime is None else int(lifetime)
        self.last_refreshed = datetime.now(UTC)
        self._asked_at = asked_at
        self._renew_at = None
        if lifetime is not None:
            self._renew_at = (
                asked_at + lifetime - min(RENEW_BEFORE_SECONDS, lifetime * LONGEST_PART)
            )
        self.tell(access_token.holder(tokens.access_token) or self.known_as)
