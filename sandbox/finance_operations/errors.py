"""Errors of Finance & Operations.

The shapes are those of recorded responses: `{"error": …}` with an inner error from OData,
`{"Message": …}` from the older Web API, and no body at all for a wrong token or a missing row.
"""

from __future__ import annotations

from sandbox.faults import finance_forms
from sandbox.faults.errors import ServiceError


class FinanceError(ServiceError):
    """An error response with its body as bytes.

    Args:
        status: Status of the response.
        content: Body.
        media_type: Media type of the body.
        headers: Further headers of the response.
    """

    def __init__(
        self,
        status: int,
        content: bytes = b"",
        media_type: str = finance_forms.JSON,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, "", content.decode(), headers)
        self.content = content
        self.media_type = media_type


def bad_query(message: str) -> FinanceError:
    """Return the error for a query that is not understood."""
    return FinanceError(400, finance_forms.query_error(message))


def in_own_shape(error: ServiceError) -> FinanceError:
    """Return an error of code that the services share in the shape of this service."""
    return error if isinstance(error, FinanceError) else bad_query(error.message)


def not_queryable(function: str) -> FinanceError:
    """Return the error for a function that the service does not translate."""
    return bad_query(f"The function '{function}' is not Queryable on this entity.")


def no_resource(url: str) -> FinanceError:
    """Return the error for a path that does not exist."""
    message = f"No HTTP resource was found that matches the request URI '{url}'."
    return FinanceError(404, finance_forms.web_api(message), finance_forms.WEB_API)


def wrong_method(method: str) -> FinanceError:
    """Return the error for a method that the resource does not support."""
    message = f"The requested resource does not support http method '{method}'."
    return FinanceError(405, finance_forms.web_api(message), finance_forms.WEB_API)


def no_row() -> FinanceError:
    """Return the error for a row that does not exist."""
    return FinanceError(404)


def unauthorized() -> FinanceError:
    """Return the error for a request without a valid token: no body and no challenge."""
    return FinanceError(401, headers={"P3P": 'CP="No P3P policy defined."'})


def not_listed() -> FinanceError:
    """Return the error for an app that *Microsoft Entra ID applications* does not list."""
    body = finance_forms.web_api_exception("Forbidden")
    return FinanceError(403, body, finance_forms.WEB_API)


def sign_in(location: str) -> FinanceError:
    """Return the redirect to the sign-in page."""
    return FinanceError(302, headers={"Location": location})


def no_right(entity_set: str) -> FinanceError:
    """Return the error for an entity that the roles of the user don't reach."""
    message = f"Access denied: you do not have sufficient rights to read {entity_set}."
    return FinanceError(403, finance_forms.failure(message, layers=1))


def failed(message: str, layers: int) -> FinanceError:
    """Return the error for X++ code that fails.

    Args:
        message: Message of the innermost exception.
        layers: Number of exceptions within each other.
    """
    return FinanceError(500, finance_forms.failure(message, layers))


def timed_out() -> FinanceError:
    """Return the answer of the gateway to a request that takes longer than it waits."""
    body = finance_forms.page("504 Gateway Time-out")
    return FinanceError(504, body, finance_forms.HTML)


def busy(retry_after: str) -> FinanceError:
    """Return the refusal of a request because of the load of the environment.

    Args:
        retry_after: Value of the `Retry-After` header. Empty leaves the header out.
    """
    headers = {"Retry-After": retry_after} if retry_after else {}
    body = finance_forms.web_api(finance_forms.BUSY)
    return FinanceError(429, body, finance_forms.WEB_API, headers)
