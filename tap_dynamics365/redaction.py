"""Redaction: makes texts of other parties safe for the log, and removes secrets from them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The characters of a text that are logged.
LONGEST = 1500

#: A token that is allowed in a header: that of RFC 6750, section 2.1, and other printable ASCII,
#: which some hosts use.
ONE_WORD = re.compile("[!-~]+")

# Credentials in the headers of a request, which a host or a proxy may repeat in its response.
_CREDENTIALS = re.compile(r"""(authorization["']?\s*[:=]\s*["']?\w+)\s+[^\s"',;]+""", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def printable(text: str) -> str:
    """Make a text safe for the log.

    Args:
        text: The text.

    Returns:
        One line of limited length, without control characters, characters that can't be encoded,
        and credentials of request headers.
    """
    written = text.encode(errors="replace").decode()
    line = " ".join(_CONTROLS.sub(" ", written).split())
    line = _CREDENTIALS.sub(r"\1 …", line)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"


def redact(text: str, secrets: Iterable[str]) -> str:
    """Remove secrets from a text.

    Args:
        text: The text.
        secrets: The secrets.

    Returns:
        The text with "…" in place of each secret, also where the secret is percent-encoded.
    """
    written = {
        form
        for secret in secrets
        for form in (secret, quote(secret, safe=""), quote_plus(secret))
        if form
    }
    # A secret may be a part of another secret.
    for form in sorted(written, key=len, reverse=True):
        text = text.replace(form, "…")
    return text
