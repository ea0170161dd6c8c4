"""Tables that can't be read, whatever one does: they are skipped."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_dynamics365.errors import ServiceError

# The caller lacks the privilege to read the table, or the row access that goes with it; the table
# can't be listed at all.
# https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes
CODES = {"0x80040220", "0x80048306", "0x80040800"}
NOT_LISTED = "'RetrieveMultiple' method does not support"
# Its entity set is no more. Codes differ between versions of the service, the words do not.
GONE = "Resource not found for the segment"


def is_unreadable(error: ServiceError) -> bool:
    """Tell whether the service does not let a table be read.

    Args:
        error: What it said.
    """
    if error.status == HTTPStatus.NOT_FOUND and GONE in error.message:
        return True
    return error.code in CODES or NOT_LISTED in error.message
