"""Faults in the body of a response."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sandbox.http.compression import compressed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope

    from sandbox.faults.fault import Fault

NEXT_LINK = re.compile(rb'("@odata\.nextLink":")([^"]*)(")')
# These bytes are invalid everywhere in a JSON document (RFC 8259, section 7).
GARBAGE = b'"\x00\x1b\xff<'
PIECES = 16
GZIP = b"\x1f\x8b"


def rewrite(fault: Fault, scope: Scope, body: bytes) -> bytes:
    """Apply a fault to the body of a response.

    Args:
        fault: The fault.
        scope: Scope of the request.
        body: Body that the service returned.
    """
    if fault.repeat_next_link:
        own = _url(scope).encode()
        body = NEXT_LINK.sub(lambda match: match[1] + own + match[3], body)
    if fault.relative_next_link:
        root = scope["path"].rpartition("/")[0].encode() + b"/"
        body = NEXT_LINK.sub(lambda match: match[1] + match[2].partition(root)[2] + match[3], body)
    if fault.substitute:
        body = substitute(fault, body)
    if fault.cut:
        body = body[: len(body) // 2]
    if fault.garble:
        middle = len(body) // 2
        body = body[:middle] + GARBAGE + body[middle + len(GARBAGE) :]
    return body


def substitute(fault: Fault, body: bytes) -> bytes:
    """Replace text in a body, which is compressed afterwards if it was compressed before.

    Args:
        fault: The fault with the patterns and replacements.
        body: Body that the service returned.
    """
    packed = body.startswith(GZIP)
    text = (gzip.decompress(body) if packed else body).decode()
    for pattern, replacement in fault.substitute:
        text = re.sub(pattern, replacement, text)
    # The text may contain a lone surrogate.
    body = text.encode("utf-8", "surrogatepass")
    return compressed(body) if packed else body


def split(body: bytes) -> Iterator[bytes]:
    """Split a body into several pieces."""
    size = max(len(body) // PIECES, 1)
    return (body[start : start + size] for start in range(0, len(body), size))


async def request_text(scope: Scope, receive: Receive) -> str:
    """Return a request's headers and body as text."""
    texts = [f"{name.decode()}: {value.decode('latin-1')}" for name, value in scope["headers"]]
    more = True
    while more:
        message = await receive()
        content = message.get("body", b"").decode("latin-1")
        texts += [content, unquote(content.replace("+", " "))]
        more = message.get("more_body", False)
    return " ".join(texts)


def _url(scope: Scope) -> str:
    host = dict(scope["headers"]).get(b"host", b"").decode()
    query = scope["query_string"].decode("latin-1")
    path = scope["raw_path"].decode("latin-1").partition("?")[0]
    return f"{scope['scheme']}://{host}{path}" + (f"?{query}" if query else "")
