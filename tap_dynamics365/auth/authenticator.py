"""Authenticators: the base classes of all grants, and the one for a configured access token."""

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

# A token is renewed this many seconds before it expires, because a request takes time. A token with
# a short lifetime is not renewed before three quarters of its lifetime have passed. Otherwise it
# would be renewed for each request.
RENEW_BEFORE_SECONDS = 60
MAX_PART = 0.25

logger = logging.getLogger("tap-dynamics365.auth")


class _HeaderAuthenticator(APIAuthenticatorBase):
    """Adds the authorization header, and does not change the URL.

    The SDK's base class parses the query and writes it again, which would change the links to next
    pages.
    """

    @override
    def authenticate_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self.auth_headers)
        return request


class Authenticator(_HeaderAuthenticator):
    """Base class of all grants.

    Attributes:
        way: How it signs in, for the log; empty if the sign-in is not logged.
        signed_in_as: The account that has signed in; empty if it is not known.
        tenant: The ID of the tenant that issued the access token; empty if it is not known.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.way = ""
        self.signed_in_as = ""
        self.tenant = ""
        # Never released: only the first request logs the sign-in.
        self._log_once = Lock()

    def log_sign_in(self, account: str, verb: str = "Signed in") -> None:
        """Log how and as whom the run signs in, once.

        Args:
            account: The account of a person, or an app; empty if it is not known.
            verb: "Signed in", or "Signing in" if the service has not accepted the sign-in yet.
        """
        self.signed_in_as = account
        if not self.way or not self._log_once.acquire(blocking=False):
            return
        if account:
            logger.info("%s as %s with %s.", verb, account, self.way)
        else:
            logger.info("%s with %s. The access token names no account.", verb, self.way)

    @property
    def lifetime(self) -> float | None:
        """Seconds for which the access token is still valid; None if that is not known."""
        return None

    def sign_in(self) -> None:
        """Get an access token if the grant needs one and has none that is valid.

        Raises:
            SignInError: The sign-in host gave no token.
        """

    def advice(self, service_url: str) -> str:
        """Say why the service may have refused the sign-in, and what to do.

        Args:
            service_url: The address of the service.

        Returns:
            One or two sentences.
        """
        raise NotImplementedError

    def renew(self, sent_at: float) -> bool:  # noqa: ARG002 - used by subclasses
        """Replace an access token that the service refused.

        Args:
            sent_at: When the refused request was sent, by `time.monotonic`.

        Returns:
            Whether a retry carries another token.
        """
        return False


class AccessTokenAuthenticator(BearerTokenAuthenticator, Authenticator):
    """Uses the access token in the settings.

    Args:
        settings: The settings, with an access token.
    """

    def __init__(self, settings: Settings) -> None:
        self._token = settings.access_token or ""
        super().__init__(token=self._token)

    @property
    @override
    def lifetime(self) -> float | None:
        return access_token.lifetime(self._token)

    @override
    def sign_in(self) -> None:
        self.tenant = access_token.tenant(self._token)
        self.log_sign_in(access_token.holder(self._token), "Signing in")

    @override
    def advice(self, service_url: str) -> str:
        fault = access_token.fault(self._token, service_url)
        if fault is None:
            fault = "has expired, as tokens do after about an hour, or is for another service_url"
        return f"The token in access_token {fault}. The tap can't renew it: set a new one."


class RenewingAuthenticator(OAuthAuthenticator, Authenticator):
    """Fetches access tokens, and renews each before it expires.

    Subclasses implement `fetch`. The age of a token is measured by a monotonic clock from before
    the request for it, so that the clocks of other machines do not matter.

    Attributes:
        account: The account that signs in, for access tokens that do not name one.
    """

    account = ""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        # By time.monotonic: when the current token was requested, and when to renew it.
        self._asked_at = 0.0
        self._renew_at: float | None = None
        self._failure: Dynamics365Error | None = None
        self._failed_at = 0.0

    def fetch(self) -> Tokens:
        """Fetch an access token.

        Returns:
            The access token and its lifetime.

        Raises:
            SignInError: The sign-in host gave no token.
        """
        raise NotImplementedError

    @override
    def advice(self, service_url: str) -> str:
        fault = access_token.fault(self.access_token or "", service_url)
        explanation = "" if fault is None else f"The access token {fault}. "
        return f"{explanation}Check service_url and scope."

    @property
    @override
    def lifetime(self) -> float | None:
        if self.expires_in is None:
            return None
        return self._asked_at + self.expires_in - time.monotonic()

    @override
    def sign_in(self) -> None:
        asked_at = time.monotonic()
        # One of the requests in flight fetches a token, and the others wait for it. If it fails,
        # they fail too, because the host would refuse them all.
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
            # Requests that were refused together renew the token once.
            if self._asked_at <= sent_at:
                self.last_refreshed = None
        return True

    @override
    def is_token_valid(self) -> bool:
        if self.last_refreshed is None:
            return False
        # If the lifetime is not known, the token is used until the service refuses it.
        return self._renew_at is None or time.monotonic() < self._renew_at

    @override
    def update_access_token(self) -> None:
        """Fetch an access token, and note when to renew it."""
        asked_at = time.monotonic()
        tokens = self.fetch()
        lifetime = tokens.expires_in
        self.access_token = tokens.access_token
        self.expires_in = None if lifetime is None else int(lifetime)
        self.last_refreshed = datetime.now(UTC)
        self._asked_at = asked_at
        self._renew_at = None
        if lifetime is not None:
            self._renew_at = asked_at + lifetime - min(RENEW_BEFORE_SECONDS, lifetime * MAX_PART)
        self.tenant = access_token.tenant(tokens.access_token)
        self.log_sign_in(access_token.holder(tokens.access_token) or self.account)
