"""Responses of Business Central, with the headers that all of them have."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from starlette.responses import Response

from sandbox.http.compression import SMALLEST_COMPRESSED, compressed

JSON = "application/json; odata.metadata=minimal; odata.streaming=true"


@dataclass
class Answer:
    """A response before headers and compression are added.

    Attributes:
        body: Body.
        content_type: Media type.
        headers: Further headers.
        status: Status.
    """

    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200


def response(answer: Answer, *, gzipped: bool) -> Response:
    """Return a response with the headers of the service.

    Args:
        answer: The response.
        gzipped: Whether the caller accepts gzip.
    """
    body, headers = answer.body, dict(answer.headers)
    if gzipped and len(body) > SMALLEST_COMPRESSED:
        body = compressed(body)
        headers["Content-Encoding"] = "gzip"
    if body:
        headers["Content-Type"] = answer.content_type
    request = str(uuid.uuid4())
    return Response(
        body,
        answer.status,
        {
            "Server": "Microsoft-HTTPAPI/2.0",
            "OData-Version": "4.0",
            "Request-Id": request,
            "ms-correlation-x": request,
            "mise-correlation-id": str(uuid.uuid4()),
            **headers,
        },
    )
