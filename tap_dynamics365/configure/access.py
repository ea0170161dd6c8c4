"""Access: who may use the page. A key that is exchanged once, the cookie for it, the CSRF token."""

from __future__ import annotations

import math
import secrets
import time
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BYTES = 32
# Seconds in which the key can be used.
KEY_SECONDS = 600
# Seconds for the browser to show the last page.
LAST_SECONDS = 1


def _new() -> str:
    return secrets.token_urlsafe(BYTES)


@dataclass
class Access:
    """The one session of a server.

    Attributes:
        port: The port of the server.
        key: What the first page exchanges for the cookie. It works once, for 10 minutes.
        csrf: What each form repeats, so that no other page can send one.
        clock: Returns the time in seconds.
        used_at: When the last request came.
        ends_at: When the server ends.
    """

    port: int
    key: str = field(default_factory=_new, repr=False)
    csrf: str = field(default_factory=_new, repr=False)
    clock: Callable[[], float] = time.monotonic
    used_at: float = field(init=False)
    ends_at: float = math.inf
    _cookie: str = field(default_factory=_new, repr=False)
    _is_used: bool = False

    def __post_init__(self) -> None:
        """Start the time in which the key works."""
        self._begun_at = self.used_at = self.clock()

    @property
    def hosts(self) -> frozenset[str]:
        """The values that the header `Host` may have. Other names may lead to this machine too."""
        return frozenset(f"{name}:{self.port}" for name in ("localhost", "127.0.0.1", "[::1]"))

    @property
    def cookie_name(self) -> str:
        """The name of the cookie. Browsers send cookies of one port to all ports of a host."""
        return f"dynamics365-{self.port}"

    def exchange(self, key: str) -> str | None:
        """Exchange the key for the value of the cookie.

        Args:
            key: The key that was sent.

        Returns:
            The value of the header `Set-Cookie`; None if the key is wrong, used, or too old.
        """
        is_right = secrets.compare_digest(key.encode(), self.key.encode())
        if not is_right or self._is_used or self.clock() - self._begun_at > KEY_SECONDS:
            return None
        self._is_used = True
        return f"{self.cookie_name}={self._cookie}; HttpOnly; SameSite=Strict; Path=/"

    def is_open(self, cookies: str) -> bool:
        """Tell whether a request has the cookie.

        Args:
            cookies: The header `Cookie`.
        """
        try:
            found = SimpleCookie(cookies).get(self.cookie_name)
        except CookieError:
            return False
        value = found.value if found else ""
        return secrets.compare_digest(value.encode(), self._cookie.encode())

    def is_own(self, csrf: str) -> bool:
        """Tell whether a form is one of this server's.

        Args:
            csrf: The token that the form sent.
        """
        return secrets.compare_digest(csrf.encode(), self.csrf.encode())

    def touch(self) -> None:
        """Note that a request came."""
        self.used_at = self.clock()

    def end(self) -> None:
        """End the server, once the browser has shown the last page."""
        self.ends_at = self.clock() + LAST_SECONDS
