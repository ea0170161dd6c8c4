"""Responses of Business Central, with the headers that all of them have."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from starlette.responses import Response

from sandbox.http.answer import encoded

if TYPE_CHECKING:
    from sandbox.http.answer import Answer

STREAMED = "application/json; odata.metadata=minimal; odata.streaming=true"


def response(answer: Answer, *, gzipped: bool) -> Response:
    """Return a response with the headers of the service.

    Args:
        answer: The response.
        gzipped: Whether the caller accepts gzip.
    """
    body, headers = encoded(answer, gzipped=gzipped)
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
