"""HTTP statuses: which of them are transient."""

from __future__ import annotations

from http import HTTPStatus

_TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


def is_transient(status: int) -> bool:
    """Tell whether a request with this status may succeed when it is retried.

    All statuses from 500 on are transient, also those that gateways and content delivery networks
    invented (520, 599). The exception is 501, which means that the server lacks the function (RFC
    9110, section 15.6.2).

    Args:
        status: The status of the response.
    """
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return status != HTTPStatus.NOT_IMPLEMENTED
    return status in _TRANSIENT
