"""The app registration that a person signs in with."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from tap_dynamics365.auth import tenant
from tap_dynamics365.auth.client import Client
from tap_dynamics365.auth.tenant import Tenant
from tap_dynamics365.auth.token_endpoint import TIMEOUT, TokenEndpoint
from tap_dynamics365.connection import connect
from tap_dynamics365.http.session import open_session

if TYPE_CHECKING:
    from tap_dynamics365.auth.token_endpoint import Tokens
    from tap_dynamics365.settings import Settings

# With it the host gives a refresh token (OpenID Connect Core 1.0, section 11).
OFFLINE_ACCESS = "offline_access"

# An older address of Microsoft Entra ID, which knows resources in place of scopes.
_OLDER = re.compile(r"^(https?://[^/]+/(?!adfs/)[^/]+/oauth2)/(?=(?:token|authorize)$)")


class App:
    """An app registration, and the host that signs people in to it.

    Args:
        settings: Those of the tap, for which there need be no way to sign in yet.

    Attributes:
        client_id: The ID of the app registration.
        service: The service, before anybody signed in.

    Raises:
        SettingsError: The certificate is not usable.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = replace(settings, grant=None, access_token=None)
        self._client = Client(self._settings)
        self.service = connect(self._settings)
        self._session = open_session(self._settings, self.service.client.throttle)
        self._timeout = min(TIMEOUT, settings.ws_timeout or TIMEOUT)
        self.client_id = self._client.client_id
        # Whether the sign-in host gave a code to type, so that it is the right one.
        self._is_reached = False

    @cached_property
    def tenant(self) -> Tenant:
        """Where people sign in: as the settings say, or else as the service does."""
        if self._settings.token_uri:
            found = Tenant.from_token_uri(_newer(self._settings.token_uri))
        else:
            ask = self.service.client.retrying(tenant.discover)
            found = ask(self._settings.service_url, self._session, self._timeout)
        if self._settings.auth_uri:
            return replace(found, authorization_uri=_newer(self._settings.auth_uri))
        return found

    @property
    def scope(self) -> str:
        """What is asked for, separated by spaces."""
        default = f"{self._settings.origin}/user_impersonation"
        scopes = (self._settings.scope or default).split()
        return " ".join(scopes if OFFLINE_ACCESS in scopes else [*scopes, OFFLINE_ACCESS])

    def device(self) -> dict[str, object]:
        """Ask for a code that a person types on another device (RFC 8628, section 3.1).

        Returns:
            The host's answer.

        Raises:
            SignInError: The host refused, or was not reached.
        """
        uri = self.tenant.device_authorization_uri
        ask = self.service.client.retrying(self._endpoint(uri).answer)
        answer = ask({**self._client.fields(self.tenant.token_uri), "scope": self.scope})
        self._is_reached = True
        return answer

    def tokens(self, **grant: str) -> Tokens:
        """Exchange what a person gave for tokens.

        Args:
            **grant: The fields of the grant.

        Returns:
            The tokens.

        Raises:
            SignInError: The host refused.
            TransientSignInError: It may not when it is asked again.
        """
        uri = self.tenant.token_uri
        return self._endpoint(uri).request({**self._client.fields(uri), **grant})

    def _endpoint(self, uri: str) -> TokenEndpoint:
        return TokenEndpoint(uri, self._session, self._timeout, is_reached=self._is_reached)


def _newer(uri: str) -> str:
    """Turn an older address of Microsoft Entra ID into the newer one beside it."""
    return _OLDER.sub(r"\1/v2.0/", uri)
