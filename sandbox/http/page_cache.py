"""Cache of responses: least recently used, limited by total size."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable


class PageCache:
    """Cache of response bodies.

    Args:
        limit: Largest total size in bytes.
    """

    def __init__(self, limit: int = 256 * 2**20) -> None:
        self.limit = limit
        self.size = 0
        self._pages: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable) -> bytes | None:
        """Return the body under a key, if it is cached."""
        page = self._pages.get(key)
        if page is not None:
            self._pages.move_to_end(key)
        return page

    def put(self, key: Hashable, page: bytes) -> None:
        """Cache a body, and remove the least recently used ones that exceed the limit."""
        old = self._pages.pop(key, b"")
        self._pages[key] = page
        self.size += len(page) - len(old)
        while self.size > self.limit:
            _, dropped = self._pages.popitem(last=False)
            self.size -= len(dropped)
