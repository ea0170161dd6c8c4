"""Errors of Microsoft's OData library, which all Dynamics 365 services share."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_dynamics365.errors import Failure

if TYPE_CHECKING:
    from tap_dynamics365.http.refusal import Refusal

UNKNOWN_COLUMN = re.compile(r"Could not find a property named '([^']+)' on type")
UNKNOWN_SEGMENT = re.compile(r"Resource not found for the segment")
# Business Central and plug-ins mark transient errors only in the message, not by a code.
TRANSIENT_WORDS = re.compile(
    r"\btry again later\b|\bplease (?:re)?try(?: again)?\b|\bdeadlock", re.IGNORECASE
)

#: What to do if there is no metadata document.
NO_METADATA = "Check service_url: it is the root of an OData service, with its version."

#: The service has no such headers that are known.
CORRELATION_HEADERS: tuple[str, ...] = ()


def classify(said: Refusal, status: int) -> Failure | None:
    """Classify a refusal by its words.

    Args:
        said: The messages, outer and inner. The library itself has no codes.
        status: The status. A refusal of the sign-in is known by its status alone.

    Returns:
        The failure; None if the words do not decide.
    """
    if status == HTTPStatus.UNAUTHORIZED:
        return None
    if UNKNOWN_COLUMN.search(said.words):
        return Failure.UNKNOWN_COLUMN
    return Failure.GONE if UNKNOWN_SEGMENT.search(said.words) else None


def is_transient(said: Refusal) -> bool:
    """Tell whether the messages of a refusal ask for a retry.

    Args:
        said: The messages, outer and inner.
    """
    return TRANSIENT_WORDS.search(said.words) is not None


def unknown_column(words: str) -> str:
    """Find the name of a column that the service does not know.

    Args:
        words: The messages of its refusal.

    Returns:
        The name; empty if the messages name none.
    """
    found = UNKNOWN_COLUMN.search(words)
    return found[1] if found else ""


def advice(failure: Failure, code: str) -> str:  # noqa: ARG001 - services have advice
    """Say what the user can do about a refusal; the library itself does not know."""
    return ""
