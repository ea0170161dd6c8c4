"""Error classification: the messages of Finance & Operations, and the failure that each one means.

The service sends no codes. An exception in the code of an entity comes with status 500 and the
message "An error has occurred."; what happened is in the inner errors.
https://learn.microsoft.com/dynamics365/fin-ops-core/dev-itpro/data-entities/odata
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_dynamics365.errors import Failure
from tap_dynamics365.odata import errors as odata_errors

if TYPE_CHECKING:
    from tap_dynamics365.http.refusal import Refusal

# The service does not know the app that signs in: no session can be created. Other refusals with
# the message "Forbidden" have another trace.
NOT_LISTED = re.compile(
    r"ThrowSessionCreationException|^System\.ServiceModel\.Web\.WebFaultException", re.MULTILINE
)
FORBIDDEN = "forbidden"

TIMED_OUT = re.compile(r"\btime-?\s?outs?\b|\btimed out\b", re.IGNORECASE)
CONFLICT = re.compile(r"\bdead-?lock|\bupdate conflict", re.IGNORECASE)
DENIED = re.compile(
    r"\baccess (?:\w+ ){0,3}denied\b|\bdenied access\b|\bnot authori[sz]ed\b|\bunauthori[sz]ed\b"
    r"|\b(?:insufficient|not have (?:\w+ ){0,3}|lacks? (?:\w+ ){0,3}|missing )"
    r"(?:access|permissions?|privileges?|rights?)\b",
    re.IGNORECASE,
)
# With status 401, most refusals concern the sign-in.
ENTITY = re.compile(r"\b(?:entity|entities|table|view|data source)\b", re.IGNORECASE)
TOO_LONG = re.compile(
    r"\b(?:url|uri|query(?: string)?|address)\b[^.]*\b(?:too long|exceeds)\b"
    r"|\blength of the (?:url|uri|query)\b|\bmax(?:QueryString|Url)Length\b",
    re.IGNORECASE,
)

NO_METADATA = (
    "Check service_url: it is the address of the environment with the path /data/, such as "
    "https://yourorg.operations.dynamics.com/data/."
)
# https://learn.microsoft.com/dynamics365/fin-ops-core/dev-itpro/data-entities/services-home-page#authentication
ADVICE = {
    Failure.UNAUTHORIZED: (
        "Check that the app is listed in Finance & Operations under System administration > Setup "
        "> Microsoft Entra ID applications, with a user that is not disabled, that the token "
        "comes from the tenant of the environment (token_uri), and that scope, if it is set, is "
        "the address of the environment in lower case, without a slash before /.default, such as "
        "https://yourorg.operations.dynamics.com/.default."
    ),
    Failure.DENIED: (
        "The user that signs in may not read this entity: add a security role with the right to "
        "read it, under System administration > Users."
    ),
}

CORRELATION_HEADERS = odata_errors.CORRELATION_HEADERS
unknown_column = odata_errors.unknown_column


def classify(said: Refusal, status: int) -> Failure | None:
    """Classify a refusal.

    Args:
        said: The messages, outer and inner.
        status: The status.

    Returns:
        The failure; None if the messages do not decide, so that the status has to.
    """
    if said.cause.rstrip(".").lower() == FORBIDDEN and NOT_LISTED.search(said.trace):
        return Failure.UNAUTHORIZED
    why = _why(said)
    if status == HTTPStatus.UNAUTHORIZED:
        return Failure.DENIED if DENIED.search(why) and ENTITY.search(why) else None
    if status == HTTPStatus.BAD_REQUEST and TOO_LONG.search(said.words):
        return Failure.ADDRESS_TOO_LONG
    if status == HTTPStatus.INTERNAL_SERVER_ERROR and said.inner:
        return _of_exception(why)
    return odata_errors.classify(said, status)


def _why(said: Refusal) -> str:
    """Return the messages of the exceptions; without an exception, all messages."""
    return "\n".join(said.inner) or said.words


def _of_exception(why: str) -> Failure:
    """Classify an exception in the code of an entity. On a read, most come again each time."""
    if TIMED_OUT.search(why):
        return Failure.TOO_LARGE
    if CONFLICT.search(why):
        return Failure.TRANSIENT
    return Failure.DENIED if DENIED.search(why) else Failure.FATAL


def is_transient(said: Refusal) -> bool:
    """Tell whether the messages of a refusal speak of a conflict with another transaction.

    Args:
        said: The messages. The outer ones of an exception are the same for all exceptions.
    """
    return CONFLICT.search(_why(said)) is not None


def advice(failure: Failure, code: str) -> str:  # noqa: ARG001 - the service has no codes
    """Say what the user can do about a refusal.

    Args:
        failure: How the refusal is classified.
        code: The error code, which is empty.

    Returns:
        One or two sentences; empty if nothing is known.
    """
    return ADVICE.get(failure, "")
