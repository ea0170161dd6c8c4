"""The token store: a file that keeps the newest refresh token from run to run."""

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

# As the file begins: of a damaged one that is all there is to go by.
BEGINNING = re.compile(rb'\{\s*"refresh_token"\s*:')
BEGINNING_AS_WRITTEN = b'{\n  "refresh_token": "'
# What the file of any version has.
NAMES = {"refresh_token", "client_id", "authority"}


@dataclass(frozen=True, kw_only=True)
class StoredToken:
    """A refresh token, and what it is good for.

    Args:
        refresh_token: The token.
        client_id: The app that it was issued to.
        authority: The sign-in host that issued it, as `authority` names it.
        descends_from: The `fingerprint` of the configured refresh token that it goes back to;
            None if there was none, as after the login command.
    """

    refresh_token: str = field(repr=False)
    client_id: str
    authority: str
    descends_from: str | None = None


class TokenStore:
    """A file with one refresh token.

    Args:
        path: Where it is; `~` is the home of the user.
    """

    def __init__(self, path: str | Path) -> None:
        # The file itself where the path is a link to it: it is replaced whole.
        self.path = Path(os.path.realpath(os.path.expanduser(path)))  # noqa: PTH111 - never fails

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs from the store: a token that is good for one use is used once.

        The lock ends with the process, whatever ends it.

        Raises:
            TokenStoreError: There can be no lock.
            ForeignStoreError: Its file is another program's.
            SignInError: Another run holds it for too long.
        """
        # Imported when it is needed, for it takes time.
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
                "seconds: see whether one hangs."
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
        """Raise if the file can't take a token.

        Raises:
            TokenStoreError: The file can't be read.
            ForeignStoreError: It is another program's.
        """
        try:
            self._content()
        except OSError as error:
            raise self._unreadable(error) from error

    def read(self) -> StoredToken | None:
        """Read the token.

        Returns:
            It, or None if there is no file yet, or nothing in it.

        Raises:
            TokenStoreError: The file can't be read, or is damaged.
            ForeignStoreError: It is another program's.
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
        if stored is None or not _is_whole(stored):
            msg = f"token_store {self.path} is damaged."
            raise TokenStoreError(msg)
        return stored

    def _content(self) -> bytes:
        """Read the file; nothing if there is none yet.

        Raises:
            OSError: It can't be read.
            ForeignStoreError: It is another program's.
        """
        try:
            content = atomic_file.read(self.path).strip()
        except FileNotFoundError:
            return b""
        if content and not _is_own(content):
            msg = (
                f"token_store {self.path} holds something else than a refresh token of the tap, "
                "and is left as it is."
            )
            raise ForeignStoreError(msg)
        return content

    def _unreadable(self, error: OSError) -> TokenStoreError:
        return TokenStoreError(
            f"token_store {self.path} can't be read ({atomic_file.error_text(error)})."
        )

    def write(self, token: StoredToken) -> None:
        """Put a token in the place of the one that is there.

        At every moment the file is whole, with the old token or the new one; when this returns,
        the new one is on the disk. No one but its owner can read the file.

        Args:
            token: The token.

        Raises:
            TokenStoreError: The file can't be written. The old one is as it was.
            ForeignStoreError: It is another program's.
        """
        try:
            # A file that can't be read may be anybody's: it is not replaced either.
            self._content()
            content = json.dumps(asdict(token), indent=2) + "\n"
            atomic_file.write(self.path, content.encode(), mode=0o600)
        except OSError as error:
            msg = f"token_store {self.path} can't be written ({atomic_file.error_text(error)})."
            raise TokenStoreError(msg) from error


def fingerprint(refresh_token: str) -> str:
    """Tell tokens apart without keeping them.

    Args:
        refresh_token: A token.

    Returns:
        Its SHA-256 in hexadecimal digits.
    """
    return hashlib.sha256(refresh_token.encode()).hexdigest()


def authority(token_uri: str) -> str:
    """Tell the sign-in host of a token endpoint.

    Args:
        token_uri: The address.

    Returns:
        Scheme, host and port.
    """
    parts = urlsplit(token_uri)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _check_lock(path: Path) -> None:
    """Raise if another program's file has the name of the lock, whose file is always empty."""
    with suppress(OSError):
        if path.stat().st_size > 0:
            msg = f"{path}, the lock of token_store, holds something, and is left as it is."
            raise ForeignStoreError(msg)


def _is_own(content: bytes) -> bool:
    """Tell whether the tap wrote a file, damaged or of another version included."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        return bool(BEGINNING.match(content)) or BEGINNING_AS_WRITTEN.startswith(content)
    return isinstance(values, dict) and values.keys() >= NAMES


def _is_whole(stored: StoredToken) -> bool:
    """Tell whether all that was read is of the right type."""
    texts = (stored.refresh_token, stored.client_id, stored.authority)
    return (
        all(isinstance(text, str) for text in texts)
        and bool(stored.refresh_token)
        and (stored.descends_from is None or isinstance(stored.descends_from, str))
    )
