"""Errors of the sign-in host.

The source is Microsoft Learn, "Microsoft Entra authentication and authorization error codes".
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTHORIZATION_DECLINED = "authorization_declined"
AUTHORIZATION_PENDING = "authorization_pending"
BAD_VERIFICATION_CODE = "bad_verification_code"
EXPIRED_TOKEN = "expired_token"  # noqa: S105  - no secret
INVALID_CLIENT = "invalid_client"
INVALID_GRANT = "invalid_grant"
INVALID_REQUEST = "invalid_request"
INVALID_RESOURCE = "invalid_resource"
INVALID_SCOPE = "invalid_scope"
UNAUTHORIZED_CLIENT = "unauthorized_client"
UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"


class TokenError(Exception):
    """An error response of the sign-in host.

    Args:
        error: OAuth 2.0 error, such as `invalid_grant`.
        code: Number of the AADSTS code.
        text: Message that follows the code.
        status: Status of the response.
    """

    def __init__(self, error: str, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.error = error
        self.code = code
        self.text = text
        self.status = status

    def body(self) -> dict[str, Any]:
        """Return the JSON body, with the ids and the timestamp that Entra ID adds."""
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.code}: {self.text} Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {now}",
            "error_codes": [self.code],
            "timestamp": now,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }


def require(form: Mapping[str, str], *names: str) -> None:
    """Check that a request has its required fields.

    Args:
        form: Fields of the request.
        *names: Names of the required fields.

    Raises:
        TokenError: A field is missing or empty; the message names the first one.
    """
    for name in names:
        if not form.get(name):
            text = f"The request body must contain the following parameter: '{name}'."
            raise TokenError(INVALID_REQUEST, 900144, text)
