"""Identity: asks the service which user has signed in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_dynamics365.auth.access_token import holder
from tap_dynamics365.auth.authenticator import RenewingAuthenticator

if TYPE_CHECKING:
    from tap_dynamics365.auth.token_endpoint import Tokens
    from tap_dynamics365.services.kind import Identity, Service


class _SignedIn(RenewingAuthenticator):
    """Signs requests with the token of a person who has just signed in."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__()
        self._tokens = tokens

    @override
    def fetch(self) -> Tokens:
        return self._tokens


def use(service: Service, tokens: Tokens) -> None:
    """Sign the requests to a service with the token of the user who has signed in.

    Args:
        service: The service.
        tokens: The tokens of the user.
    """
    service.client.signer = _SignedIn(tokens)


def identify(service: Service, tokens: Tokens) -> Identity:
    """Ask the service which user has signed in.

    Args:
        service: The service.
        tokens: The tokens of the user.

    Returns:
        The user. If the service does not name the user, the account in the access token.

    Raises:
        ServiceError: The service does not accept the token, or does not know the user.
    """
    use(service, tokens)
    found = service.kind.who_am_i(service.client).known_as(holder(tokens.access_token))
    return replace(found, user=found.user or "a user whom the service does not name")
