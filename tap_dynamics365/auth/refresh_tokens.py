"""Refresh tokens: which to use, and how the newest is kept."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from contextlib import ExitStack
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from tap_dynamics365.auth.token_store import StoredToken, TokenStore, authority, fingerprint
from tap_dynamics365.errors import (
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
    """The refresh tokens at hand: the one configured, and the newest that came of it.

    A host may give a new one at each exchange, and may refuse the old one from then on (RFC 6749,
    section 10.4).

    Args:
        configured: The one in the settings, if there is one.
        path: The token store, if there is one.
        client_id: The app that they were issued to.
    """

    def __init__(self, configured: str | None, path: str | None, client_id: str) -> None:
        self._configured = configured
        self._store = TokenStore(path) if path else None
        self._client_id = client_id
        # The newest, if it is nowhere else.
        self._in_memory: str | None = None
        self._said: set[str] = set()

    def exchange(self, token_uri: str, request: Callable[[str], Tokens]) -> Tokens:
        """Exchange the newest refresh token, and keep the one that comes with the answer.

        It is on the disk before the access token is handed out.

        Args:
            token_uri: Where tokens are issued.
            request: Exchanges a refresh token.

        Returns:
            The tokens.

        Raises:
            SignInError: None of the refresh tokens is accepted, or there is none.
            TokenStoreError: The token store is another program's file. Without a place for the
                next token, the one that is there is not used up.
        """
        if self._store is None:
            used, tokens = self._first_accepted([self._in_memory, self._configured], request)
            if tokens.refresh_token and tokens.refresh_token != used:
                self._in_memory = tokens.refresh_token
                self._say(
                    logging.INFO,
                    "The sign-in host gave a new refresh token, which is kept for this run only. "
                    "The one in refresh_token goes on working until 90 days after it was issued, "
                    "or 24 hours if the app is a single-page application. Set token_store to "
                    "have the newest used by the next run.",
                )
            return tokens
        store = self._store
        try:
            return _to_the_end(lambda: self._exchange(store, authority(token_uri), request))
        except ForeignStoreError as error:
            msg = f"{error.message} Let token_store name another file."
            raise TokenStoreError(msg) from error

    def _exchange(self, store: TokenStore, issuer: str, request: Callable[[str], Tokens]) -> Tokens:
        """Exchange the newest token, while no other run can."""
        with ExitStack() as held:
            try:
                held.enter_context(store.locked())
            except ForeignStoreError:
                raise
            except TokenStoreError as error:
                self._say(
                    logging.WARNING, f"{error.message} Let no two runs use it at the same time."
                )
            stored = self._read(store, issuer)
            candidates = [self._in_memory, stored, self._configured]
            used, tokens = self._first_accepted(candidates, request)
            if tokens.refresh_token and tokens.refresh_token != used:
                self._keep(store, issuer, tokens.refresh_token)
            return tokens

    def _read(self, store: TokenStore, issuer: str) -> str | None:
        """Read the stored token, if it may be used."""
        others = self._configured or self._in_memory
        try:
            stored = store.read()
        except ForeignStoreError:
            raise
        except TokenStoreError as error:
            if not others:
                msg = f"{error.message} Run tap-dynamics365-login to have it written anew."
                raise SignInError(msg) from error
            self._say(logging.WARNING, f"{error.message} It is passed over for refresh_token.")
            return None
        if stored is None:
            return None
        if stored.client_id.lower() != self._client_id.lower() or stored.authority != issuer:
            message = (
                "The token in token_store was issued to another app than client_id, or by another "
                "host than that of token_uri"
            )
            if not others:
                msg = f"{message}: run tap-dynamics365-login to get one that fits."
                raise SignInError(msg)
            self._say(logging.WARNING, f"{message}: it is passed over for refresh_token.")
            return None
        if self._configured and stored.descends_from != fingerprint(self._configured):
            self._say(
                logging.INFO,
                "The token in token_store does not go back to the one in refresh_token, which "
                "wins.",
            )
            return None
        return stored.refresh_token

    def _keep(self, store: TokenStore, issuer: str, refresh_token: str) -> None:
        """Put a new token into the store."""
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
            self._say(
                logging.WARNING,
                f"{error.message} The new refresh token is kept for this run only.",
            )
        else:
            self._in_memory = None

    def _first_accepted(
        self, candidates: list[str | None], request: Callable[[str], Tokens]
    ) -> tuple[str, Tokens]:
        """Exchange the first token that the host accepts; tell which it was."""
        tokens = list(dict.fromkeys(token for token in candidates if token))
        if not tokens:
            msg = (
                "There is no refresh token in token_store: run tap-dynamics365-login to get one, "
                "or set refresh_token."
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
                self._say(
                    logging.WARNING,
                    f"The newest refresh token is not accepted any more; trying an older one. "
                    f"{error.message}",
                )
        return tokens[-1], request(tokens[-1])

    def _say(self, level: int, message: str) -> None:
        """Say something, but not at each renewal."""
        if message not in self._said:
            self._said.add(message)
            logger.log(level, message)


def _to_the_end(job: Callable[[], T]) -> T:
    """Do a job in a thread that the process waits for when it is told to end.

    A signal raises in the main thread, and ends the workers with it: between the host's answer
    and the disk, a refresh token would be lost that can't be had again.
    """
    result: Future[T] = Future()

    def work() -> None:
        try:
            result.set_result(job())
        except BaseException as error:  # noqa: BLE001 - raised where the result is waited for
            result.set_exception(error)

    Thread(target=work, name="sign-in", daemon=False).start()
    return result.result()
