"""Responses of Finance & Operations, with the headers that all of them have."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from starlette.responses import Response

from sandbox.http.answer import encoded

if TYPE_CHECKING:
    from sandbox.http.answer import Answer


def response(answer: Answer, *, gzipped: bool) -> Response:
    """Return a response with the headers of the service.

    Args:
        answer: The response.
        gzipped: Whether the caller accepts gzip.
    """
    body, headers = encoded(answer, gzipped=gzipped)
    return Response(
        body,
        answer.status,
        {
            "Cache-Control": "no-cache",
            "Pragma": "no-cache",
            "Expires": "-1",
            "Vary": "Accept-Encoding",
            "OData-Version": "4.0",
            "ms-dyn-aid": str(uuid.uuid4()),
            "server-timing": "total;dur=1",
            "Set-Cookie": f"ASLBSA={'5a' * 32}; path=/; HttpOnly",
            **headers,
        },
    )
