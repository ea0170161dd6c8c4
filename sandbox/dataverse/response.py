"""Responses of the Web API, with the headers that all of them have."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from starlette.responses import Response

from sandbox.http.answer import encoded

if TYPE_CHECKING:
    from sandbox.http.answer import Answer

METHODS = "OPTIONS,GET,HEAD,POST"
SOURCE = "5a" * 24
ORGANIZATION = "00000000-5a4d-4b0c-8b0c-000000000095"


def response(answer: Answer, *, gzipped: bool) -> Response:
    """Return a response with the headers of the service.

    Args:
        answer: The response.
        gzipped: Whether the caller accepts gzip.
    """
    body, headers = encoded(answer, gzipped=gzipped)
    request_id = str(uuid.uuid4())
    made = Response(
        body,
        answer.status,
        {
            "Cache-Control": "no-cache",
            "Expires": "-1",
            "Vary": "Accept-Encoding,Prefer",
            "OData-Version": "4.0",
            "Allow": METHODS,
            "Public": METHODS,
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
            "REQ_ID": request_id,
            "CRM.ServiceId": "CRMAppPool",
            "AuthActivityId": str(uuid.uuid4()),
            "x-ms-dop-hint": "4",
            "x-ms-ratelimit-time-remaining-xrm-requests": "1,200.00",
            "x-ms-ratelimit-burst-remaining-xrm-requests": "7999",
            **headers,
        },
    )
    # Recorded responses have these headers twice.
    for identifier in (uuid.uuid4(), request_id):
        made.headers.append("x-ms-service-request-id", str(identifier))
        made.headers.append("X-Source", SOURCE)
        made.headers.append("Set-Cookie", f"ARRAffinity={'5a' * 32}; Path=/; HttpOnly")
    made.headers.append("Set-Cookie", f"ReqClientId={request_id}; Path=/; HttpOnly")
    made.headers.append("Set-Cookie", f"orgId={ORGANIZATION}; Path=/; HttpOnly")
    return made
