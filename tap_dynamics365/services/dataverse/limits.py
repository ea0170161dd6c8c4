"""How near a run comes to the service protection limits."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("tap-dynamics365.service")

# What is left below this part of a limit is worth a warning.
NEAR = 0.1

# Dataverse writes a comma between thousands.
_NUMBER = re.compile(r"[0-9]{1,12}(?:,[0-9]{1,12}){0,4}(?:\.[0-9]{1,12})?")


@dataclass
class _Limit:
    """A limit of one user at one of the service's servers.

    Attributes:
        what: What it is a limit of.
        full: How much of it there is at first, as documented, or more if more was seen.
        left: The least that was left.
    """

    what: str
    full: float
    left: float | None = None

    def __str__(self) -> str:
        return f"{self.left:,.0f} of {self.full:,.0f} {self.what}"


class Limits:
    """Reads what the service says with each answer, and keeps the lowest.

    https://learn.microsoft.com/power-apps/developer/data-platform/api-limits
    """

    def __init__(self) -> None:
        self._by_header = {
            "x-ms-ratelimit-burst-remaining-xrm-requests": _Limit("requests", 6_000),
            "x-ms-ratelimit-time-remaining-xrm-requests": _Limit("seconds of work", 1_200),
        }
        self._warned = False
        self._lock = Lock()

    def answered(self, headers: Mapping[str, str]) -> None:
        """Learn from an answer, and warn once when little is left.

        Args:
            headers: Its headers.
        """
        for name, limit in self._by_header.items():
            left = number(headers.get(name, ""))
            if left is not None:
                with self._lock:
                    self._learn(limit, left)

    def _learn(self, limit: _Limit, left: float) -> None:
        limit.full = max(limit.full, left)
        if limit.left is None or left < limit.left:
            limit.left = left
        if left < NEAR * limit.full and not self._warned:
            self._warned = True
            logger.warning(
                "Near a limit of the service: %s are left of five minutes. When none are, it "
                "refuses requests, which then wait. To stay away from it, lower "
                "max_parallel_requests.",
                str(limit),
            )

    def summary(self) -> str:
        """Tell how near the run came to the limits.

        Returns:
            What was left when least was, or nothing if the service did not say.
        """
        return ", ".join(str(limit) for limit in self._by_header.values() if limit.left is not None)


def number(text: str) -> float | None:
    """Read a number with commas between its thousands, such as `1,200.00`.

    Args:
        text: The value of a header.

    Returns:
        The number, or None if it is none.
    """
    return float(text.replace(",", "")) if _NUMBER.fullmatch(text.strip()) else None
