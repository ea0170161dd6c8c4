"""Clock of the service, which can differ from the clock of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class Clock:
    """The service's clock, for `Date` headers, times of changes and delta tokens.

    Attributes:
        offset: Seconds that the clock is ahead of the machine's.
        stopped_at: ISO 8601 time at which the clock has stopped. Empty lets the clock run.
    """

    offset: int = 0
    stopped_at: str = ""

    def now(self) -> datetime:
        """Return the current time, with its time zone."""
        if self.stopped_at:
            return datetime.fromisoformat(self.stopped_at).astimezone(UTC)
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def stamp(self) -> str:
        """Return the current time as rows have it, in whole seconds."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
