"""Refresh tokens: chooses the newest one, exchanges it, and stores its successor."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from contextlib import ExitStack
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from tap_dynamics365.auth.token_store import StoredToken, TokenStore, authority, fingerprint
from tap_dynamics365.errors import (
    LOGIN,
    ForeignStoreError,
    SignInError,
    TokenStoreError,
    TransientSignInError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_dynamics365.auth.token_endpoint import Tokens

INVALID_GRANT = "invalid_grant"

T = TypeVar("T")

logger = logging.getLogger("tap-dynamics365.auth")


class RefreshTokens:
    """The configured refresh token, and its newest successor.

    A host may issue a new refresh token at each exchange, and may refuse the old one from then on
    (RFC 6749, section 10.4).

    Args:
        configured: The refresh token in the settings; None if it is not set.
        path: The path of the token store; None if it is not set.
        client_id: The app that the tokens were issued to.
    """

    def __init__(self, configured: str | None, path: str | None, client_id: str) -> None:
        self._configured = configured
        self._store = TokenStore(path) if path else None
        self._client_id = client_id
        # The newest token, if it could not be stored.
        self._in_memory: str | None = None
        self._logged: set[str] = set()

    def exchange(self, token_uri: str, request: Callable[[str], Tokens]) -> Tokens:
        """Exchange the newest refresh token, and store the new one.

        The new refresh token is on the disk before the access token is used.

        Args:
            token_uri: The token endpoint.
            request: Exchanges a refresh token.

        Returns:
            The tokens.

        Raises:
            SignInError: There is no refresh token, or the host accepts none of them.
            TokenStoreError: The token store is another program's file. The refresh token is not
                exchanged, because its successor could not be stored.
        """
        if self._store is None:
            used, tokens = self._first_accepted([self._in_memory, self._configured], request)
            if tokens.refresh_token and tokens.refresh_token != used:
                self._in_memory = tokens.refresh_token
                self._log(
                    logging.INFO,
                    "The new refresh token is lost after this run: set token_store to keep it. The "
                    "one in refresh_token expires 90 days after its issue (single-page "
                    "application: 24 hours).",
                )
            return tokens
        store = self._store
        try:
            return _uninterrupted(lambda: self._exchange(store, authority(token_uri), request))
        except ForeignStoreError as error:
            msg = f"{error.message} Set token_store to another file."
            raise TokenStoreError(msg) from error

    def _exchange(self, store: TokenStore, issuer: str, request: Callable[[str], Tokens]) -> Tokens:
        """Exchange the newest token while the store is locked for other runs."""
        with ExitStack() as held:
            try:
                held.enter_context(store.locked())
            except ForeignStoreError:
                raise
            except TokenStoreError as error:
                self._log(
                    logging.WARNING,
                    f"{error.message} Make sure that only one run uses it at a time.",
                )
            stored = self._read(store, issuer)
            candidates = [self._in_memory, stored, self._configured]
            used, tokens = self._first_accepted(candidates, request)
            if tokens.refresh_token and tokens.refresh_token != used:
                self._save(store, issuer, tokens.refresh_token)
            return tokens

    def _read(self, store: TokenStore, issuer: str) -> str | None:
        """Read the stored token; None if it must not be used."""
        others = self._configured or self._in_memory
        try:
            stored = store.read()
        except ForeignStoreError:
            raise
        except TokenStoreError as error:
            if not others:
                msg = f"{error.message} Replace it with {LOGIN}."
                raise SignInError(msg) from error
            self._log(logging.WARNING, f"{error.message} The tap uses refresh_token instead.")
            return None
        if stored is None:
            return None
        if stored.client_id.lower() != self._client_id.lower() or stored.authority != issuer:
            message = (
                "The token in token_store was issued to another app than client_id, or by another "
                "host than that of token_uri"
            )
            if not others:
                msg = f"{message}: check client_id, or get a new token with {LOGIN}."
                raise SignInError(msg)
            self._log(logging.WARNING, f"{message}: the tap uses refresh_token instead.")
            return None
        if self._configured and stored.descends_from != fingerprint(self._configured):
            self._log(
                logging.INFO,
                "The token in token_store is not a successor of the one in refresh_token: the tap "
                "uses refresh_token.",
            )
            return None
        return stored.refresh_token

    def _save(self, store: TokenStore, issuer: str, refresh_token: str) -> None:
        """Store a new token, or keep it in memory if that fails."""
        new = StoredToken(
            refresh_token=refresh_token,
            client_id=self._client_id,
            authority=issuer,
            descends_from=fingerprint(self._configured) if self._configured else None,
        )
        try:
            store.write(new)
        except TokenStoreError as error:
            self._in_memory = refresh_token
            self._log(
                logging.WARNING,
                f"{error.message} The new refresh token is used for this run only.",
            )
        else:
            self._in_memory = None

    def _first_accepted(
        self, candidates: list[str | None], request: Callable[[str], Tokens]
    ) -> tuple[str, Tokens]:
        """Exchange the first token that the host accepts, and return it and its exchange."""
        tokens = list(dict.fromkeys(token for token in candidates if token))
        if not tokens:
            msg = (
                f"There is no refresh token in token_store: get one with {LOGIN}, or set "
                "refresh_token."
            )
            raise SignInError(msg)
        for token in tokens[:-1]:
            try:
                return token, request(token)
            except TransientSignInError:
                raise
            except SignInError as error:
                if error.error != INVALID_GRANT:
                    raise
                self._log(
                    logging.WARNING,
                    "The host no longer accepts the newest refresh token. Trying an older one. "
                    f"{error.message}",
                )
        return tokens[-1], request(tokens[-1])

    def _log(self, level: int, message: str) -> None:
        """Log a message, but only once in a run."""
        if message not in self._logged:
            self._logged.add(message)
            logger.log(level, message)


def _uninterrupted(job: Callable[[], T]) -> T:
    """Run a job in a thread that is not a daemon, so that the process waits for its end.

    A signal raises in the main thread and ends the run. If that happened between the response
    of the host and the write to the disk, the new refresh token would be lost.
    """
    result: Future[T] = Future()

    def work() -> None:
        try:
            result.set_result(job())
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            result.set_exception(error)

    Thread(target=work, name="sign-in", daemon=False).start()
    return result.result()
