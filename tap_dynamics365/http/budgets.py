"""Budgets: what is left of the service protection limits, read from response headers."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("tap-dynamics365.service")

# A budget of which less than this part is left is worth a warning.
NEAR = 0.1

# Dataverse writes a comma between thousands.
_NUMBER = re.compile(r"[0-9]{1,12}(?:,[0-9]{1,12}){0,4}(?:\.[0-9]{1,12})?")


@dataclass(frozen=True)
class Budget:
    """A limit of one user at one of the service's servers, over 5 minutes.

    Attributes:
        unit: What is counted, such as requests.
        full: The documented limit.
    """

    unit: str
    full: float


class Budgets:
    """Reads what each response says is left, and keeps the lowest numbers.

    Args:
        by_header: The budgets, by the response header that says what is left.
    """

    def __init__(self, by_header: Mapping[str, Budget]) -> None:
        self._by_header = by_header
        self._full = {name: budget.full for name, budget in by_header.items()}
        self._lowest: dict[str, float] = {}
        self._warned = False
        self._lock = Lock()

    def answered(self, headers: Mapping[str, str]) -> None:
        """Learn from a response, and warn once when little is left.

        Args:
            headers: Its headers.
        """
        for name in self._by_header:
            left = number(headers.get(name, ""))
            if left is not None:
                with self._lock:
                    self._learn(name, left)

    def _learn(self, name: str, left: float) -> None:
        self._full[name] = max(self._full[name], left)
        self._lowest[name] = min(self._lowest.get(name, left), left)
        if left < NEAR * self._full[name] and not self._warned:
            self._warned = True
            logger.warning(
                "Near a limit of the service: %s left in the 5-minute window. When none are left, "
                "the service throttles requests. To stay below the limit, lower "
                "max_parallel_requests.",
                self._text(name),
            )

    def _text(self, name: str) -> str:
        unit = self._by_header[name].unit
        return f"{self._lowest[name]:,.0f} of {self._full[name]:,.0f} {unit}"

    def summary(self) -> str:
        """Say how near the run came to the limits.

        Returns:
            The lowest numbers; empty if the service did not send any.
        """
        return ", ".join(self._text(name) for name in self._by_header if name in self._lowest)


def number(text: str) -> float | None:
    """Read a number with commas between its thousands, such as `1,200.00`.

    Args:
        text: The value of a header.

    Returns:
        The number; None if the text is not a number.
    """
    return float(text.replace(",", "")) if _NUMBER.fullmatch(text.strip()) else None
