"""Search for secrets in the output of a program, in each encoding that programs use."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PART = 30


def found(secrets: Iterable[str], *texts: str) -> set[str]:
    """Find secrets in texts.

    Args:
        secrets: The secrets.
        *texts: The texts to search.

    Returns:
        The secrets that occur, each in the form in which it occurs.
    """
    return {
        form for secret in secrets for form in forms(secret) if any(form in text for text in texts)
    }


def forms(secret: str) -> set[str]:
    """Encode a secret in each form in which programs write it.

    Args:
        secret: A secret.

    Returns:
        The secret as it is, URL-encoded, as a JSON, Python and HTML string, in hexadecimal, and
        the part of its base64 that does not depend on the text around it.
    """
    return set(_forms(secret))


def ends(token: str) -> set[str]:
    """Return the beginning and the end of a token, each of which is too much to reveal.

    Args:
        token: A token of more than 30 characters.
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
    """Yield the base64 of a content that begins after so many bytes of a group of three."""
    encoded = base64.b64encode(bytes(before) + content)
    begin = -(-before * 8 // 6)
    end = (before + len(content)) * 8 // 6
    for alphabet in (encoded, encoded.translate(bytes.maketrans(b"+/", b"-_"))):
        yield alphabet[begin:end].decode()
