"""How often a run may call the service for one table."""

from __future__ import annotations

from tap_dynamics365.errors import CallLimitError


class CallLimit:
    """Counts the calls for one table: each try that is sent, whatever comes of it.

    Args:
        most: How many there may be; 0 is no limit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls = 0

    def spend(self) -> None:
        """Count a call that is about to be sent.

        Raises:
            CallLimitError: There may be no more.
        """
        if self._most and self._calls >= self._most:
            calls = "call" if self._most == 1 else "calls"
            msg = (
                f"It takes more than the {self._most} {calls} of the service that "
                "stmt_call_limit allows for one table in one run: set a higher limit to read it to "
                "its end."
            )
            raise CallLimitError(msg)
        self._calls += 1
