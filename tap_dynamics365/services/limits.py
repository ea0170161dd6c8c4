"""Limits: what a service lets one user take, as far as it is documented."""

from __future__ import annotations

from dataclasses import dataclass

#: Seconds of the window.
WINDOW = 300


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one user may take in 5 minutes, and in a day. None if no limit is documented.

    Attributes:
        requests: Requests.
        requests_per_day: Requests in 24 hours. More are not refused, but need another licence.
        seconds: Seconds for which the service works on requests, those at the same time added up.
    """

    requests: int | None = None
    requests_per_day: int | None = None
    seconds: int | None = None
