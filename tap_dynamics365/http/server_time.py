"""What time it is at the service, which need not be what it is here."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Clock:
    """The service's time when it gave the first answer of the run."""

    def __init__(self) -> None:
        self._first: datetime | None = None

    def answered(self, headers: Mapping[str, str]) -> None:
        """Learn from an answer.

        Args:
            headers: Its headers, `Date` among them (RFC 9110, section 6.6.1).
        """
        if self._first is None:
            try:
                moment = parsedate_to_datetime(headers.get("Date", ""))
            except (ValueError, OverflowError):
                return
            self._first = moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        """Tell the time; our own as long as the service has not told."""
        return self._first or datetime.now(UTC)
