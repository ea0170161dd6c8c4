"""Looks for secrets in what a program said, in whatever form they may stand there."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PART = 30


def found(secrets: Iterable[str], *said: str) -> set[str]:
    """Find secrets.

    Args:
        secrets: What must not be there.
        *said: Where to look.

    Returns:
        Those that are there, each in the form in which it is.
    """
    return {
        form for secret in secrets for form in forms(secret) if any(form in text for text in said)
    }


def forms(secret: str) -> set[str]:
    """Write a secret in every way in which programs write one.

    Args:
        secret: A secret.

    Returns:
        It as it is, url-encoded, as a text of JSON, of Python and of HTML, in hexadecimal, and
        what of its base64 does not depend on what is before and behind it.
    """
    return set(_forms(secret))


def ends(token: str) -> set[str]:
    """Cut out of a token what is too much already: its beginning, and its end.

    Args:
        token: A long one.
    """
    return {token[:PART], token[-PART:]}


def _forms(text: str) -> Iterator[str]:
    yield text
    for safe in ("", "/", "/:@"):
        yield quote(text, safe=safe)
        yield quote(text, safe=safe).replace("%2F", "%2f").replace("%3D", "%3d")
    yield quote_plus(text)
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield escape(text)
    yield text.encode().hex()
    for encoding in ("utf-8", "utf-16-le"):
        for before in range(3):
            yield from _base64_within(text.encode(encoding), before)


def _base64_within(content: bytes, before: int) -> Iterator[str]:
    """Yield what the base64 of a longer text has of it, that many bytes into a group of three."""
    encoded = base64.b64encode(bytes(before) + content)
    begin = -(-before * 8 // 6)
    end = (before + len(content)) * 8 // 6
    for alphabet in (encoded, encoded.translate(bytes.maketrans(b"+/", b"-_"))):
        yield alphabet[begin:end].decode()
