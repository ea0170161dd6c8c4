"""Orders: the faults that were ordered, what they hit, and the log of requests."""

from __future__ import annotations

import asyncio
import random
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sandbox.faults.fault import Fault

PAGE_SIZE = re.compile(r"odata\.maxpagesize=([0-9]+)")
TOP = re.compile(r"[?&]\$top=([0-9]+)")


class OrderedFault:
    """A fault that was ordered, with its counters.

    Args:
        fault: The fault.

    Attributes:
        cleared: Set once the fault is cleared, which lets go of the requests that it holds.
    """

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.hits = 0
        self.cleared = asyncio.Event()
        self.random = random.Random(fault.seed)  # noqa: S311  - repeatable by design
        self.pattern = re.compile(fault.path) if _is_pattern(fault.path) else None

    def hits_request(self, method: str, url: str, prefer: str, *, part: bool = False) -> bool:
        """Return whether the fault hits a request, and count the request.

        Args:
            method: HTTP method of the request.
            url: Decoded path and query.
            prefer: Value of the `Prefer` header.
            part: Whether the request is part of a batch.
        """
        fault = self.fault
        if fault.in_batch != part or (fault.method and fault.method.upper() != method):
            return False
        if fault.path not in url and not (self.pattern and self.pattern.search(url)):
            return False
        sizes = [int(size[1]) for size in (PAGE_SIZE.search(prefer), TOP.search(url)) if size]
        if sizes and min(sizes) <= fault.over_rows:
            return False
        self.seen += 1
        if self.seen <= fault.skip or (fault.count is not None and self.hits >= fault.count):
            return False
        if fault.probability < 1 and self.random.random() >= fault.probability:
            return False
        self.hits += 1
        return True


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return bool(text)


class Orders:
    """Ordered faults, and the log of requests.

    Args:
        now: Returns the service's time.

    Attributes:
        orders: Faults in the order in which they were ordered.
        log: The logged requests.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.orders: list[OrderedFault] = []
        self.log: list[dict[str, Any]] = []

    def order(self, fault: Fault) -> None:
        """OrderedFault a fault; the first fault that matches a request is applied.

        Raises:
            ValueError: The attributes of the fault contradict each other.
        """
        fault.check(self.now())
        self.orders.append(OrderedFault(fault))

    def clear(self) -> None:
        """Remove all faults, and let go of the requests that they hold."""
        for order in self.orders:
            order.cleared.set()
        self.orders.clear()

    def answer_to_part(
        self, method: str, url: str, prefer: str
    ) -> tuple[int, dict[str, str], bytes] | None:
        """Return the response that a fault has for a request within a batch, if there is one.

        Args:
            method: HTTP method of the request.
            url: Decoded URL of the request.
            prefer: Value of the `Prefer` header.

        Returns:
            Status, headers and body.
        """
        for order in self.orders:
            if order.hits_request(method, url, prefer, part=True):
                return order.fault.answer(self.now())
        return None

    def matching(self, method: str, url: str, prefer: str) -> OrderedFault | None:
        """Return the first order that hits a request, if there is one.

        Args:
            method: HTTP method of the request.
            url: Decoded path and query.
            prefer: Value of the `Prefer` header.
        """
        hits = (order for order in self.orders if order.hits_request(method, url, prefer))
        return next(hits, None)
