"""Token store: a file that keeps the newest refresh token for the next run."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_dynamics365 import atomic_file
from tap_dynamics365.errors import ForeignStoreError, SignInError, TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds to wait for other runs, each of which may be waiting for a slow sign-in host.
LOCK_TIMEOUT = 300

# The beginning of the file, by which a damaged file is recognized.
BEGINNING = re.compile(rb'\{\s*"refresh_token"\s*:')
BEGINNING_AS_WRITTEN = b'{\n  "refresh_token": "'
# The members that the file has in all versions.
NAMES = {"refresh_token", "client_id", "authority"}


@dataclass(frozen=True, kw_only=True)
class StoredToken:
    """A refresh token, and where it is valid.

    Args:
        refresh_token: The token.
        client_id: The app that the token was issued to.
        authority: The sign-in host that issued the token, as `authority` returns it.
        descends_from: The `fingerprint` of the configured refresh token whose successor this is;
            None if there was none, as after the login command.
    """

    refresh_token: str = field(repr=False)
    client_id: str
    authority: str
    descends_from: str | None = None


class TokenStore:
    """A file with one refresh token.

    Args:
        path: The path of the file; `~` is the home folder of the user.
    """

    def __init__(self, path: str | Path) -> None:
        # Symbolic links are resolved, because writing would replace the link by a file.
        self.path = Path(os.path.realpath(os.path.expanduser(path)))  # noqa: PTH111 - never fails

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the store for other runs, because a refresh token may be valid for one use only.

        The lock is released when the process ends, even if it is killed.

        Raises:
            TokenStoreError: The store can't be locked.
            ForeignStoreError: The file of the lock is another program's.
            SignInError: Another run holds the lock for too long.
        """
        # Imported only when needed, because the import is slow.
        from filelock import FileLock, Timeout  # noqa: PLC0415

        lock = FileLock(f"{self.path}.lock", timeout=LOCK_TIMEOUT, mode=0o600)
        try:
            atomic_file.check(self.path)
            _check_lock(Path(lock.lock_file))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            msg = (
                f"token_store {self.path} has been in use by another run for {LOCK_TIMEOUT} "
                "seconds: check whether a run hangs."
            )
            raise SignInError(msg) from None
        except (OSError, NotImplementedError) as error:
            msg = f"token_store {self.path} can't be locked ({atomic_file.error_text(error)})."
            raise TokenStoreError(msg) from error
        try:
            yield
        finally:
            lock.release()

    def check(self) -> None:
        """Raise if no token can be stored in the file.

        Raises:
            TokenStoreError: The file can't be read.
            ForeignStoreError: The file is another program's.
        """
        try:
            self._content()
        except OSError as error:
            raise self._unreadable(error) from error

    def read(self) -> StoredToken | None:
        """Read the token.

        Returns:
            The token; None if the file does not exist or is empty.

        Raises:
            TokenStoreError: The file can't be read, or is damaged.
            ForeignStoreError: The file is another program's.
        """
        try:
            content = self._content()
        except OSError as error:
            raise self._unreadable(error) from error
        if not content:
            return None
        try:
            values = json.loads(content)
            stored = StoredToken(**values)
        except (ValueError, TypeError, RecursionError):
            stored = None
        if stored is None or not _is_valid(stored):
            msg = f"token_store {self.path} is damaged."
            raise TokenStoreError(msg)
        return stored

    def _content(self) -> bytes:
        """Read the file; empty if it does not exist.

        Raises:
            OSError: The file can't be read.
            ForeignStoreError: The file is another program's.
        """
        try:
            content = atomic_file.read(self.path).strip()
        except FileNotFoundError:
            return b""
        if content and not _is_own(content):
            msg = (
                f"token_store {self.path} contains something other than a refresh token of the "
                "tap, and is not changed."
            )
            raise ForeignStoreError(msg)
        return content

    def _unreadable(self, error: OSError) -> TokenStoreError:
        return TokenStoreError(
            f"token_store {self.path} can't be read ({atomic_file.error_text(error)})."
        )

    def write(self, token: StoredToken) -> None:
        """Replace the stored token.

        The file is replaced in one step: it contains the old token or the new one. When this
        method returns, the new token is on the disk. Only the owner can read the file.

        Args:
            token: The token.

        Raises:
            TokenStoreError: The file can't be written. An existing file is unchanged.
            ForeignStoreError: The file is another program's.
        """
        try:
            # A file that can't be read may be another program's, and is not replaced.
            self._content()
            content = json.dumps(asdict(token), indent=2) + "\n"
            atomic_file.write(self.path, content.encode(), mode=0o600)
        except OSError as error:
            msg = f"token_store {self.path} can't be written ({atomic_file.error_text(error)})."
            raise TokenStoreError(msg) from error


def fingerprint(refresh_token: str) -> str:
    """Identify a token without storing it.

    Args:
        refresh_token: A refresh token.

    Returns:
        The SHA-256 of the token, in hexadecimal digits.
    """
    return hashlib.sha256(refresh_token.encode()).hexdigest()


def authority(token_uri: str) -> str:
    """Return the sign-in host of a token endpoint.

    Args:
        token_uri: The address of the token endpoint.

    Returns:
        Scheme, host and port.
    """
    parts = urlsplit(token_uri)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _check_lock(path: Path) -> None:
    """Raise if the file of the lock, which is always empty, is another program's."""
    with suppress(OSError):
        if path.stat().st_size > 0:
            msg = f"The file {path}, the lock of token_store, is not empty, and is not changed."
            raise ForeignStoreError(msg)


def _is_own(content: bytes) -> bool:
    """Tell whether the tap wrote a file, even if the file is damaged or of another version."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return bool(BEGINNING.match(content)) or BEGINNING_AS_WRITTEN.startswith(content)
    return isinstance(values, dict) and values.keys() >= NAMES


def _is_valid(stored: StoredToken) -> bool:
    """Tell whether all values of a stored token have the right type."""
    texts = (stored.refresh_token, stored.client_id, stored.authority)
    return (
        all(isinstance(text, str) for text in texts)
        and bool(stored.refresh_token)
        and (stored.descends_from is None or isinstance(stored.descends_from, str))
    )
