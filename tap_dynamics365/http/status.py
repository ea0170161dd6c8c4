"""Which HTTP statuses say that the same request may succeed later."""

from __future__ import annotations

from http import HTTPStatus

_TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


def is_transient(status: int) -> bool:
    """Tell whether a status is one of a failure that may pass.

    Every status from 500 on is, also those that gateways and content delivery networks made up
    (520, 599), but 501: the server lacks what was asked for (RFC 9110, section 15.6.2).

    Args:
        status: The status.
    """
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return status != HTTPStatus.NOT_IMPLEMENTED
    return status in _TRANSIENT
