"""Call limit: how many requests a run may send for one table."""

from __future__ import annotations

from tap_dynamics365.errors import CallLimitError


class CallLimit:
    """Counts the requests for one table, with retries and failures.

    Args:
        most: The most requests; 0 for no limit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls = 0

    def spend(self) -> None:
        """Count a request before it is sent.

        Raises:
            CallLimitError: The limit is reached.
        """
        if self._most and self._calls >= self._most:
            calls = "call" if self._most == 1 else "calls"
            msg = (
                f"Reading it takes more than the {self._most} {calls} that stmt_call_limit allows "
                "for one table in one run: set a higher limit to read all of it."
            )
            raise CallLimitError(msg)
        self._calls += 1
