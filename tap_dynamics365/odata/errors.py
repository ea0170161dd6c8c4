"""Errors of Microsoft's OData library, which all Dynamics 365 services share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tap_dynamics365.errors import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN_COLUMN = re.compile(r"Could not find a property named '([^']+)' on type")
UNKNOWN_SEGMENT = re.compile(r"Resource not found for the segment")

#: What to do about a refusal, by its code.
ADVICE: Mapping[str, str] = {}
#: What to do if there is no metadata document.
NO_METADATA = "Check service_url: it is the root of an OData service, with its version."


def classify(code: str, words: str) -> Failure | None:  # noqa: ARG001 - other services have codes
    """Classify a refusal by its words.

    Args:
        code: The error code. The library itself has no codes.
        words: The messages, outer and inner.

    Returns:
        The failure; None if the words do not decide.
    """
    if UNKNOWN_COLUMN.search(words):
        return Failure.UNKNOWN_COLUMN
    return Failure.GONE if UNKNOWN_SEGMENT.search(words) else None


def unknown_column(words: str) -> str:
    """Find the name of a column that the service does not know.

    Args:
        words: The messages of its refusal.

    Returns:
        The name; empty if the messages name none.
    """
    found = UNKNOWN_COLUMN.search(words)
    return found[1] if found else ""
