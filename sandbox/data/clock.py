"""What time it is at the service, which need not be what it is here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class Clock:
    """The service's clock: its `Date` headers, times of changes and delta tokens come from it.

    Attributes:
        offset: by how many seconds it is ahead of this machine's.
        stands_at: the moment at which it stands still; it runs if there is none.
    """

    offset: int = 0
    stands_at: str = ""

    def now(self) -> datetime:
        """The time, with its zone."""
        if self.stands_at:
            return datetime.fromisoformat(self.stands_at).astimezone(UTC)
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def stamp(self) -> str:
        """The time as rows have it, in whole seconds."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
