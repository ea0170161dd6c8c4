"""OAuth 2.0 grants: client credentials and refresh token."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from typing_extensions import override

from tap_dynamics365.auth import access_token, tenant
from tap_dynamics365.auth.authenticator import RenewingAuthenticator
from tap_dynamics365.auth.client import Client
from tap_dynamics365.auth.refresh_tokens import RefreshTokens
from tap_dynamics365.auth.token_endpoint import TIMEOUT, TokenEndpoint
from tap_dynamics365.http.session import open_session

if TYPE_CHECKING:
    from tap_dynamics365.auth.token_endpoint import Tokens
    from tap_dynamics365.http.throttle import Throttle
    from tap_dynamics365.http.traffic import Traffic
    from tap_dynamics365.settings import Settings


# This scope requests a refresh token (OpenID Connect Core 1.0, section 11).
OFFLINE_ACCESS = "offline_access"


class TokenEndpointAuthenticator(RenewingAuthenticator):
    """Fetches access tokens from a token endpoint.

    Args:
        settings: The settings of the grant.
        throttle: Pauses all requests.
        traffic: Counts requests and bytes.

    Raises:
        SettingsError: The certificate can't be used.
    """

    def __init__(
        self, settings: Settings, throttle: Throttle | None = None, traffic: Traffic | None = None
    ) -> None:
        super().__init__()
        self._settings = settings
        self._throttle = throttle
        self._traffic = traffic
        self._resource = settings.origin
        self._client = Client(settings)

    @cached_property
    def endpoint(self) -> TokenEndpoint:
        """The token endpoint in the settings, or else that of the service's tenant."""
        session = open_session(self._settings, self._throttle, self._traffic)
        timeout = min(TIMEOUT, self._settings.ws_timeout or TIMEOUT)
        uri = self._settings.token_uri
        if uri is None:
            uri = tenant.discover(self._settings.address, session, timeout).token_uri
        return TokenEndpoint(uri, session, timeout)

    def _target(self, default_scope: str | None) -> dict[str, str]:
        """Return the field that names the service: older endpoints use `resource`, newer `scope`.

        https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
        """
        if "/v2.0/" not in urlsplit(self.endpoint.uri).path:
            return {"resource": self._resource}
        scope = self._settings.scope or default_scope
        return {"scope": scope} if scope else {}


class ClientCredentialsAuthenticator(TokenEndpointAuthenticator):
    """The client-credentials grant (RFC 6749, section 4.4): an app signs in as itself.

    The app authenticates with a secret, or with an assertion that is signed with its certificate
    (RFC 7523, section 2.2).

    Args:
        settings: The settings, with a secret or a certificate.
        throttle: Pauses all requests.
        traffic: Counts requests and bytes.

    Raises:
        SettingsError: The certificate can't be used.
    """

    def __init__(
        self, settings: Settings, throttle: Throttle | None = None, traffic: Traffic | None = None
    ) -> None:
        super().__init__(settings, throttle, traffic)
        self.account = f"app {settings.client_id}"

    @property
    @override
    def oauth_request_body(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            **self._client.fields(self.endpoint.uri),
            **self._target(f"{self._resource}/.default"),
        }

    @override
    def fetch(self) -> Tokens:
        return self.endpoint.request(self.oauth_request_body)


class RefreshTokenAuthenticator(TokenEndpointAuthenticator):
    """The refresh-token grant (RFC 6749, section 6): the tap signs in as a person.

    Args:
        settings: The settings, with a refresh token or a token store.
        throttle: Pauses all requests.
        traffic: Counts requests and bytes.
    """

    def __init__(
        self, settings: Settings, throttle: Throttle | None = None, traffic: Traffic | None = None
    ) -> None:
        super().__init__(settings, throttle, traffic)
        self._refresh_tokens = RefreshTokens(
            settings.refresh_token, settings.token_store, settings.client_id or ""
        )

    @property
    @override
    def oauth_request_body(self) -> dict[str, str]:
        return {
            "grant_type": "refresh_token",
            **self._client.fields(self.endpoint.uri),
            "refresh_token": self.refresh_token or "",
            **self._target(None),
        }

    @override
    def fetch(self) -> Tokens:
        # The token endpoint is discovered before the token store is locked, so that other runs do
        # not wait for that.
        return self._refresh_tokens.exchange(self.endpoint.uri, self._exchange)

    def _exchange(self, refresh_token: str) -> Tokens:
        self.refresh_token = refresh_token
        return self.endpoint.request(self.oauth_request_body)


class OtherResourceAuthenticator(RefreshTokenAuthenticator):
    """The refresh-token grant for another resource than the service, with the same refresh token.

    A refresh token of Microsoft Entra ID is valid for several resources. But where a request names
    none, the host may choose the one of the request before. Therefore the stored token is
    exchanged for its former resource again.

    Args:
        settings: The settings of the service, with a refresh token or a token store.
        resource: The origin of the other resource.
        scope: The scopes to request for it, separated by spaces.
        throttle: Pauses all requests.
        traffic: Counts requests and bytes.
    """

    def __init__(
        self,
        settings: Settings,
        resource: str,
        scope: str,
        throttle: Throttle | None = None,
        traffic: Traffic | None = None,
    ) -> None:
        super().__init__(settings, throttle, traffic)
        self._resource = resource
        self._scope = scope
        # The scope of the next request; empty for none.
        self._asked = ""
        # The resource that the host chooses for the stored token, once it is known.
        self._former: str | None = None

    @override
    def _target(self, default_scope: str | None) -> dict[str, str]:
        target = super()._target(default_scope)
        if "resource" in target:
            return target
        return {"scope": self._asked} if self._asked else {}

    @override
    def fetch(self) -> Tokens:
        if not self._is_changed_by_requests:
            return self._fetch(self._scope)
        if self._former is None:
            tokens = self._fetch("")
            self._former = access_token.audience(tokens.access_token)
            if access_token.is_for(tokens.access_token, self._resource):
                return tokens
        tokens = self._fetch(self._scope)
        if tokens.refresh_token and self._former:
            self._fetch(f"{self._former}/.default {OFFLINE_ACCESS}")
        return tokens

    @property
    def _is_changed_by_requests(self) -> bool:
        """Whether the next run depends on which resource the last request was for."""
        names_resource = "resource" in super()._target(None) or self._settings.scope
        return bool(self._settings.token_store) and not names_resource

    def _fetch(self, scope: str) -> Tokens:
        self._asked = scope
        return super().fetch()
