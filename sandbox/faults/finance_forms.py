"""Bodies of errors of Finance & Operations: OData, the older Web API, and a gateway.

Seen in public code, issues and articles: the code is empty, the outer message says nothing, and the
cause is in the inner error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

JSON = "application/json; odata.metadata=minimal"
WEB_API = "application/json; charset=utf-8"
HTML = "text/html"
OCCURRED = "An error has occurred."
NOT_VALID = "The query specified in the URI is not valid."
INVOCATION = "Exception has been thrown by the target of an invocation."
#: Words of the refusal of a request because of the load of the environment.
BUSY = (
    "This request could not be processed at this time due to system experiencing high resource "
    "utilization. Please try again later."
)
_TRACE = "   at Microsoft.Dynamics.Platform.Integration.Services.OData."


def query_error(message: str) -> bytes:
    """Return the error for a query that is not understood.

    Args:
        message: What is wrong with the query.
    """
    inner = {
        "message": message,
        "type": "Microsoft.OData.ODataException",
        "stacktrace": f"{_TRACE}AxODataUriParser.Parse(String query)",
    }
    error = {"code": "", "message": f"{NOT_VALID} {message}", "innererror": inner}
    return msgspec.json.encode({"error": error})


def failure(message: str, layers: int = 3) -> bytes:
    """Return the error for a failure of X++ code.

    Args:
        message: Message of the innermost exception.
        layers: Number of exceptions within each other.
    """
    inner: dict[str, Any] = {
        "message": message,
        "type": "Microsoft.Dynamics.Ax.Xpp.ErrorException",
        "stacktrace": "   at Dynamics.AX.Application.SandboxEntity.postLoad()",
    }
    for _ in range(layers - 1):
        inner = {
            "message": INVOCATION,
            "type": "System.Reflection.TargetInvocationException",
            "stacktrace": f"{_TRACE}AxODataDelegationHandler.SendAsync()\r\n   at System",
            "internalexception": inner,
        }
    return msgspec.json.encode({"error": {"code": "", "message": OCCURRED, "innererror": inner}})


def web_api(message: str) -> bytes:
    """Return an error of the older Web API."""
    return msgspec.json.encode({"Message": message})


def web_api_exception(message: str) -> bytes:
    """Return an exception in the form of the older Web API."""
    return msgspec.json.encode(
        {
            "Message": OCCURRED,
            "ExceptionMessage": message,
            "ExceptionType": "System.ServiceModel.Web.WebFaultException`1[System.String]",
            "StackTrace": "   at Microsoft.Dynamics.Ax.Services.ServicesSessionProvider."
            "ThrowSessionCreationException(SessionException exception)",
        }
    )


def page(message: str) -> bytes:
    """Return the web page of a gateway."""
    title = escape(message)
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>"
        "</center>\r\n<hr><center>Microsoft-Azure-Application-Gateway/v2</center>\r\n</body>\r\n"
        "</html>\r\n"
    ).encode()


def _plain(write: Callable[[str], bytes]) -> Callable[[str, str], bytes]:
    return lambda _code, message: write(message)


#: Values of `sandbox.faults.fault.Fault.error_form` besides those of Dataverse, with media types.
FORMS: dict[str, tuple[Callable[[str, str], bytes], str]] = {
    "finance": (_plain(failure), JSON),
    "finance_query": (_plain(query_error), JSON),
    "web_api": (_plain(web_api), WEB_API),
    "web_api_exception": (_plain(web_api_exception), WEB_API),
    "html": (_plain(page), HTML),
}
