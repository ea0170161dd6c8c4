"""Answers of a service, before its own headers and the compression are added."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.http.compression import SMALLEST_COMPRESSED, compressed

if TYPE_CHECKING:
    from starlette.requests import Request

JSON = "application/json; odata.metadata=minimal"


@dataclass
class Answer:
    """A response before the headers of the service and compression are added.

    Attributes:
        body: Body.
        content_type: Media type.
        headers: Further headers.
        status: Status.
        gzipped: Whether the body is compressed already.
    """

    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    gzipped: bool = False


def accepts_gzip(request: Request) -> bool:
    """Return whether the caller of a request accepts gzip."""
    return "gzip" in request.headers.get("accept-encoding", "").lower()


def encoded(answer: Answer, *, gzipped: bool) -> tuple[bytes, dict[str, str]]:
    """Return the body of an answer as it is sent, and the headers that the answer has.

    Args:
        answer: The answer.
        gzipped: Whether to compress the body, unless it is small.
    """
    body, is_gzipped, headers = answer.body, answer.gzipped, {}
    if body:
        headers["Content-Type"] = answer.content_type
    if gzipped and not is_gzipped and len(body) > SMALLEST_COMPRESSED:
        body, is_gzipped = compressed(body), True
    if is_gzipped:
        headers["Content-Encoding"] = "gzip"
    return body, {**headers, **answer.headers}
