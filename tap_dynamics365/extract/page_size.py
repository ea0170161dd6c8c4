"""How many rows of a table to ask for at once: fewer where that is too much for the service."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING

from tap_dynamics365.errors import Failure, ServiceError
from tap_dynamics365.http.session import failure_reason, is_late

if TYPE_CHECKING:
    import requests

# A page that failed is asked for again with so many times fewer rows; after so many pages in a row
# that went well, with so many times more.
LESS, GOOD_PAGES, MORE = 4, 4, 2
# So many pages in a row come before a size that failed is tried again; each time in vain, twice as
# many.
CAUTION = 32

logger = logging.getLogger("tap-dynamics365.page_size")


class PageSize:
    """The number of rows that pages of one table are to have.

    Args:
        stream: Name of the stream.
        largest: The number to begin with, and never to exceed.
        most: The most rows that the service sends in a page, whatever it is asked for.

    Attributes:
        rows: The number now.
    """

    def __init__(self, stream: str, largest: int, most: int) -> None:
        self._stream = stream
        self._largest = largest
        self._most = most
        # Requests for one table are under way in several threads.
        self._lock = Lock()
        self.rows = largest
        self._good_pages = 0
        self._too_many: int | None = None
        self._caution = CAUTION

    def failed(self, rows: int, error: requests.RequestException | ServiceError) -> None:
        """Ask for fewer rows from now on, if that may help.

        Args:
            rows: How many were asked for.
            error: What came of it.
        """
        if not is_too_much(error):
            return
        with self._lock:
            # Of pages that failed together, each has the size that the first of them is asked
            # for again with.
            if rows > self.rows or rows == 1:
                return
            in_vain = self._too_many is not None and rows >= self._too_many
            self._caution = 2 * self._caution if in_vain else CAUTION
            self._too_many = rows
            self._good_pages = 0
            self.rows = max(1, min(rows, self._most) // LESS)
        reason = error.message if isinstance(error, ServiceError) else failure_reason(error)
        logger.info(
            "Pages of %r shrink from %d rows to %d. %s", self._stream, rows, self.rows, reason
        )

    def record_success(self, rows: int) -> None:
        """Ask for more rows again once enough pages have come.

        Args:
            rows: How many were asked for.
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
        logger.debug("Pages of %r grow from %d rows to %d.", self._stream, rows, more)


def is_too_much(error: requests.RequestException | ServiceError) -> bool:
    """Tell whether a page may come when fewer rows are asked for.

    Args:
        error: What came in its place.
    """
    if isinstance(error, ServiceError):
        return error.failure is Failure.TOO_LARGE
    return is_late(error)
