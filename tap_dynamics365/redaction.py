"""Words that somebody else chose, made fit for a log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 1500

#: What can stand in a header as a token (RFC 6750, section 2.1, and what some hosts give beside).
ONE_WORD = re.compile("[!-~]+")

# What signs a request, should somebody repeat its headers: a proxy may pass on what was for it.
_CREDENTIALS = re.compile(r"""(authorization["']?\s*[:=]\s*["']?\w+)\s+[^\s"',;]+""", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def printable(text: str) -> str:
    """Make one line of a text, of a length for a log.

    Args:
        text: The words.

    Returns:
        The words without what would break the line, steer a terminal, or can't be written, and
        without the credentials in headers of a request.
    """
    written = text.encode(errors="replace").decode()
    line = " ".join(_CONTROLS.sub(" ", written).split())
    line = _CREDENTIALS.sub(r"\1 …", line)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"


def without(text: str, secrets: Iterable[str]) -> str:
    """Take secrets out of a text.

    Args:
        text: The words.
        secrets: What must not be in them.

    Returns:
        The words, with dots in place of each secret, also where it is written as in a form.
    """
    written = {
        form
        for secret in secrets
        for form in (secret, quote(secret, safe=""), quote_plus(secret))
        if form
    }
    # One may be a part of another.
    for form in sorted(written, key=len, reverse=True):
        text = text.replace(form, "…")
    return text
