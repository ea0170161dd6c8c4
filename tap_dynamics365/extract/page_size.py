"""Page size: how many rows to request at once; fewer if the service can't send that many."""

from __future__ import annotations

import logging
from threading import Lock

import requests

from tap_dynamics365.errors import Failure, ServiceError
from tap_dynamics365.http.session import failure_reason, is_late

# A failed page is requested again with LESS times fewer rows. After GOOD_PAGES successful pages in
# a row, pages have MORE times as many rows.
LESS, GOOD_PAGES, MORE = 4, 4, 2
# How many successful pages in a row precede another attempt with a size that failed before. The
# number doubles with each failed attempt.
CAUTION = 32

logger = logging.getLogger("tap-dynamics365.page_size")


class PageSize:
    """The number of rows to request for a page of one table.

    Args:
        stream: The name of the stream.
        largest: The first and largest number of rows.
        most: The most rows that the service sends in a page.

    Attributes:
        rows: The current number of rows.
    """

    def __init__(self, stream: str, largest: int, most: int) -> None:
        self._stream = stream
        self._largest = largest
        self._most = most
        # Several threads send requests for one table.
        self._lock = Lock()
        self.rows = largest
        self._good_pages = 0
        self._too_many: int | None = None
        self._caution = CAUTION

    def record_failure(self, rows: int, error: requests.RequestException | ServiceError) -> None:
        """Request fewer rows from now on, if that may help.

        Args:
            rows: How many rows were requested.
            error: The failure.
        """
        if not is_too_much(error):
            return
        with self._lock:
            # If several pages fail at the same time, only the first failure reduces the size.
            if rows > self.rows or rows == 1:
                return
            in_vain = self._too_many is not None and rows >= self._too_many
            self._caution = 2 * self._caution if in_vain else CAUTION
            self._too_many = rows
            self._good_pages = 0
            self.rows = max(1, min(rows, self._most) // LESS)
        reason = error.message if isinstance(error, ServiceError) else failure_reason(error)
        noun = "row" if self.rows == 1 else "rows"
        logger.info(
            "Page size of %r reduced from %d to %d %s. %s",
            self._stream,
            rows,
            self.rows,
            noun,
            reason,
        )

    def record_success(self, rows: int) -> None:
        """Request more rows again after enough successful pages.

        Args:
            rows: How many rows were requested.
        """
        with self._lock:
            if self._too_many is not None and rows >= self._too_many:
                self._too_many = None
            if rows != self.rows or rows == self._largest:
                return
            self._good_pages += 1
            more = min(MORE * rows, self._largest)
            is_risky = self._too_many is not None and more >= self._too_many
            if self._good_pages < (self._caution if is_risky else GOOD_PAGES):
                return
            self.rows, self._good_pages = more, 0
        logger.debug("Page size of %r increased from %d to %d rows.", self._stream, rows, more)


def is_too_much(error: requests.RequestException | ServiceError) -> bool:
    """Tell whether a page may succeed with fewer rows.

    Args:
        error: The failure.
    """
    if isinstance(error, ServiceError):
        return error.failure is Failure.TOO_LARGE
    return is_late(error)


def is_timeout(error: ServiceError) -> bool:
    """Tell whether a request has failed for good because it takes too long, or is too much.

    Args:
        error: The failure, after all retries.
    """
    cause = error.__cause__
    return is_too_much(error) or (isinstance(cause, requests.RequestException) and is_late(cause))
