"""Sign-in: one class a grant. Nothing else in the tap knows what a token is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from singer_sdk.authenticators import (
    APIAuthenticatorBase,
    BearerTokenAuthenticator,
    OAuthAuthenticator,
)
from typing_extensions import override

from tap_dynamics365.errors import TRANSIENT_STATUSES, SignInError, TransientSignInError

if TYPE_CHECKING:
    from tap_dynamics365.settings import Settings

# A token is renewed this many seconds before it ends: clocks differ, and a request takes time.
RENEW_BEFORE_SECONDS = 60


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
        advice: What to do when the service refuses the token.
    """

    advice: str

    def renew(self, sent_at: datetime) -> bool:  # noqa: ARG002 - for those that can
        """Replace a token that the service refused.

        Args:
            sent_at: When the request was sent that it refused.

        Returns:
            Whether a request that is repeated carries another token.
        """
        return False


class AccessTokenAuthenticator(BearerTokenAuthenticator, Authenticator):
    """Uses an access token that somebody else fetched."""

    advice = (
        "The one in access_token has expired, which it does after about an hour, or was issued "
        "for another service_url."
    )


class RefreshTokenAuthenticator(OAuthAuthenticator, Authenticator):
    """The refresh-token grant of OAuth 2.0 (RFC 6749, section 6).

    Args:
        settings: Those with a refresh token. A client secret is sent only where there is one:
            a public client that sends one is refused.
    """

    advice = "The sign-in host issued it for something else: check scope and service_url."

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            auth_endpoint=settings.token_uri,
            oauth_scopes=settings.scope,
            client_id=settings.client_id,
            client_secret=settings.client_secret,
        )
        self.refresh_token = settings.refresh_token
        self._lock = Lock()
        # Told here rather than to the SDK's handle_error, which does not see Retry-After.
        self._session.hooks["response"].append(_check)

    @property
    @override
    def oauth_request_body(self) -> dict[str, str]:
        fields = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": self.refresh_token,
            "scope": self.oauth_scopes,
        }
        return {name: value for name, value in fields.items() if value}

    @override
    def authenticate_request(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Of the requests in flight one renews the token, the others wait for it.
        with self._lock:
            return super().authenticate_request(request)

    @override
    def renew(self, sent_at: datetime) -> bool:
        with self._lock:
            # Once for all requests that were refused together.
            if self.last_refreshed is not None and self.last_refreshed <= sent_at:
                self.last_refreshed = None
        return True

    @override
    def is_token_valid(self) -> bool:
        if self.last_refreshed is None or not self.expires_in:
            return super().is_token_valid()
        age = (datetime.now(UTC) - self.last_refreshed).total_seconds()
        return age + RENEW_BEFORE_SECONDS < self.expires_in

    @override
    def update_access_token(self) -> None:
        """Exchange the refresh token for an access token.

        Raises:
            SignInError: The host refused, was not reached, or is none that signs people in.
        """
        try:
            super().update_access_token()
        except requests.JSONDecodeError:
            msg = "The sign-in host answered something else than JSON; check token_uri."
            raise SignInError(msg) from None
        except requests.RequestException as error:
            host = urlsplit(self.auth_endpoint).netloc
            msg = f"The sign-in host {host} could not be reached ({type(error).__name__})."
            raise SignInError(msg) from error
        except (LookupError, TypeError, ValueError):
            msg = "The sign-in host's answer has no access token in it; check token_uri."
            raise SignInError(msg) from None


def _check(response: requests.Response, **_: object) -> None:
    """Raise what the sign-in host says, if it gives no token."""
    if response.ok:
        return
    msg = f"Sign-in was refused (HTTP {response.status_code}): {_reason(response.text)}"
    if response.status_code in TRANSIENT_STATUSES:
        raise TransientSignInError(msg, response)
    raise SignInError(msg)


def _reason(content: str) -> str:
    """Find the first line of the host's own words in its error body (RFC 6749, section 5.2)."""
    try:
        answer = json.loads(content)
        words = answer.get("error_description") or answer["error"]
        # A gateway before the host answers as Dataverse does.
        words = words["message"] if isinstance(words, dict) else words
        return str(words).splitlines()[0]
    except (ValueError, AttributeError, LookupError, TypeError):
        return "the answer is not one of an OAuth 2.0 sign-in host; check token_uri."


def authenticator(settings: Settings) -> Authenticator:
    """Choose the grant by which settings are present.

    Args:
        settings: The checked settings.

    Returns:
        What signs each request. A refresh token wins over an access token.
    """
    if settings.refresh_token:
        return RefreshTokenAuthenticator(settings)
    return AccessTokenAuthenticator(token=settings.access_token or "")
