"""App: the app registration that a person signs in with, and its sign-in host."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from tap_dynamics365.auth import tenant
from tap_dynamics365.auth.client import Client
from tap_dynamics365.auth.grants import OFFLINE_ACCESS
from tap_dynamics365.auth.tenant import Tenant
from tap_dynamics365.auth.token_endpoint import TIMEOUT, TokenEndpoint
from tap_dynamics365.connection import connect, connect_directory
from tap_dynamics365.http.session import open_session
from tap_dynamics365.services.registry import directory_at

if TYPE_CHECKING:
    from tap_dynamics365.auth.token_endpoint import Tokens
    from tap_dynamics365.settings import Settings

# An address of version 1 of Microsoft Entra ID, which uses resources instead of scopes.
_VERSION_1 = re.compile(r"^(https?://[^/]+/(?!adfs/)[^/]+/oauth2)/(?=(?:token|authorize)$)")


class App:
    """An app registration, and the host that signs people in to it.

    Args:
        settings: The settings of the tap. A grant need not be configured.

    Attributes:
        client_id: The ID of the app registration.
        directory: The list of environments that `service_url` leads to; None if it names one.
        service: The service, without a sign-in.

    Raises:
        SettingsError: The certificate can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = replace(settings, grant=None, access_token=None)
        self._client = Client(self._settings)
        self.directory = directory_at(settings.service_url)
        if self.directory is None:
            self.service = connect(self._settings)
        else:
            self.service, _ = connect_directory(self._settings)
        self._session = open_session(self._settings, self.service.client.throttle)
        self._timeout = min(TIMEOUT, settings.ws_timeout or TIMEOUT)
        self.client_id = self._client.client_id
        # Whether the sign-in host has issued a device code, and is therefore the right host.
        self._is_reached = False

    @cached_property
    def tenant(self) -> Tenant:
        """The sign-in addresses, from the settings or else from the service."""
        known = self._settings.token_uri or self.service.kind.token_uri(self._settings.service_url)
        if known:
            found = Tenant.from_token_uri(_to_version_2(known))
        else:
            ask = self.service.client.retrying(tenant.discover)
            found = ask(self._settings.address, self._session, self._timeout)
        if self._settings.auth_uri:
            return replace(found, authorization_uri=_to_version_2(self._settings.auth_uri))
        return found

    @property
    def scope(self) -> str:
        """The scopes to request, separated by spaces."""
        default = f"{self._settings.origin}/{self.service.kind.permission}"
        # The setting is for the service, not for a list elsewhere.
        is_elsewhere = self.directory is not None and self.directory.has_own_resource
        scopes = (default if is_elsewhere else self._settings.scope or default).split()
        return " ".join(scopes if OFFLINE_ACCESS in scopes else [*scopes, OFFLINE_ACCESS])

    def request_device_code(self) -> dict[str, object]:
        """Request a code that a person enters on another device (RFC 8628, section 3.1).

        Returns:
            The host's response.

        Raises:
            SignInError: The host refused, or was not reached.
        """
        uri = self.tenant.device_authorization_uri
        ask = self.service.client.retrying(self._endpoint(uri).post)
        answer = ask({**self._client.fields(self.tenant.token_uri), "scope": self.scope})
        self._is_reached = True
        return answer

    def tokens(self, **grant: str) -> Tokens:
        """Exchange a code for tokens.

        Args:
            **grant: The fields of the grant.

        Returns:
            The tokens.

        Raises:
            SignInError: The host refused.
            TransientSignInError: A retry may help.
        """
        uri = self.tenant.token_uri
        return self._endpoint(uri).request({**self._client.fields(uri), **grant})

    def refresh(self, refresh_token: str) -> Tokens:
        """Exchange a refresh token that was issued for another service.

        Args:
            refresh_token: The refresh token.

        Returns:
            The tokens. The refresh token among them is the newest one.

        Raises:
            SignInError: The host refused, or was not reached.
        """
        exchange = self.service.client.retrying(self.tokens)
        tokens = exchange(grant_type="refresh_token", refresh_token=refresh_token, scope=self.scope)
        return replace(tokens, refresh_token=tokens.refresh_token or refresh_token)

    def _endpoint(self, uri: str) -> TokenEndpoint:
        return TokenEndpoint(uri, self._session, self._timeout, is_reached=self._is_reached)


def _to_version_2(uri: str) -> str:
    """Convert an address of Microsoft Entra ID to version 2."""
    return _VERSION_1.sub(r"\1/v2.0/", uri)
