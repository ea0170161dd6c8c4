"""Server time: the service's time, because the local clock may differ."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Clock:
    """The service's time at its first response of the run."""

    def __init__(self) -> None:
        self._first: datetime | None = None

    def answered(self, headers: Mapping[str, str]) -> None:
        """Read the header `Date` of a response (RFC 9110, section 6.6.1).

        Args:
            headers: The headers of the response.
        """
        if self._first is None:
            try:
                moment = parsedate_to_datetime(headers.get("Date", ""))
            except (ValueError, OverflowError):
                return
            self._first = moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time of the first response, or the local time if no response had a `Date`."""
        return self._first or datetime.now(UTC)
