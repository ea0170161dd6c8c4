"""Bodies of errors: any code, in each format that clients have received."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import msgspec

from sandbox.faults import central_forms, finance_forms

if TYPE_CHECKING:
    from collections.abc import Callable

UNEXPECTED, REFUSED = "0x80040216", "0x80040203"
# Codes of the three service protection limits.
THROTTLED = {
    "requests": "0x80072322",
    "execution_time": "0x80072321",
    "concurrency": "0x80072326",
}
# Messages of the service, by code.
# https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes
MESSAGES = {
    UNEXPECTED: "An unexpected error occurred.",
    REFUSED: "The request is refused, as ordered.",
    "0x80040204": "Invalid user auth.",
    "0x80040217": "account With Id = 00000000-0000-0000-0000-000000000000 Does Not Exist",
    "0x80040220": "SecLib::AccessCheckEx failed.",
    "0x80040225": "The specified user(Id = {0}) is disabled.",
    "0x80040265": "ISV code aborted the operation.",
    "0x80041102": "The entity with a name = 'x' was not found in the MetadataCache.",
    "0x80044150": "Generic SQL error.",
    "0x80044151": "SQL timeout expired.",
    "0x8004418d": (
        "The plug-in execution failed because no Sandbox Worker processes are currently available. "
        "Please try again.\r\nSystem.ServiceModel.CommunicationException: The server did not "
        "provide a meaningful reply.\r\n   at Microsoft.Crm.Sandbox.SandboxWorkerProcess.Execute"
    ),
    "0x80044352": (
        "Version stamp associated with the client has expired. Please perform a full sync."
    ),
    "0x80048306": "Principal user is missing ReadAccess rights to the record.",
    "0x80048544": "The query is throttled.",
    "0x80048573": "The query timed out: it selects a large amount of columns.",
    "0x80060888": "The query is not valid.",
    "0x8006088a": "Resource not found for the segment 'accounts'.",
    "0x80072321": (
        "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds "
        "over time window of 300 seconds. Decrease number of concurrent requests or reduce the "
        "duration of requests and try again later."
    ),
    "0x80072322": "Number of requests exceeded the limit of 6000 over time window of 300 seconds.",
    "0x80072326": "Number of concurrent requests exceeded the limit of 52.",
    "0x80072491": "Entity account isn't enabled for change tracking.",
    "0x80072492": "Changes cannot be retrieved for intersect entity account.",
    "0x80072560": "The user is not a member of the organization.",
}
JSON, XML = "application/json; odata.metadata=minimal", "application/xml"


def message_of(code: str) -> str:
    """Return the service's message for a code, or a placeholder."""
    return MESSAGES.get(code, "As ordered.")


def odata(code: str, message: str) -> bytes:
    """Return an error in the usual format (OData JSON Format 4.0, section 19)."""
    return msgspec.json.encode({"error": {"code": code, "message": message}})


def _no_code(_code: str, message: str) -> bytes:
    return msgspec.json.encode({"error": {"message": message}})


def _decimal(code: str, message: str) -> bytes:
    number = int(code, 16)
    return odata(str(number - 2**32 if number >= 2**31 else number), message)


def _exception(_code: str, message: str) -> bytes:
    return msgspec.json.encode(
        {
            "Message": "An error has occurred.",
            "ExceptionMessage": message,
            "ExceptionType": "Microsoft.Crm.CrmHttpException",
            "StackTrace": "   at Microsoft.Crm.Extensibility.ODataV4.CrmODataExecutionContext.Run",
        }
    )


def _odata_v3(code: str, message: str) -> bytes:
    error = {"code": code, "message": {"lang": "en-US", "value": message}}
    return msgspec.json.encode({"odata.error": error})


def _xml(code: str, message: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><m:error '
        'xmlns:m="http://docs.oasis-open.org/odata/ns/metadata">'
        f"<m:code>{escape(code)}</m:code><m:message>{escape(message)}</m:message></m:error>"
    ).encode()


def _text(_code: str, message: str) -> bytes:
    return message.encode()


def _bad_escape(code: str, message: str) -> bytes:
    """Return an error with an escape sequence that JSON does not have (RFC 8259, section 7)."""
    return odata(code, f"{message} See DOMAIN\\user.").replace(rb"\\user", rb"\user")


def _inner(code: str, message: str) -> bytes:
    deepest = {
        "message": message,
        "type": "Microsoft.Crm.CrmException",
        "stacktrace": "   at Microsoft.Crm.Sandbox.Execute",
    }
    inner = {
        "message": "An exception occurred in the extension.",
        "type": "Microsoft.Crm.CrmHttpException",
        "stacktrace": "   at Microsoft.Crm.Extensibility.ODataV4.Run",
        "internalexception": {
            "message": "Exception has been thrown by the target of an invocation.",
            "type": "System.Reflection.TargetInvocationException",
            "stacktrace": "",
            "internalexception": deepest,
        },
    }
    error = {"code": code, "message": "An error has occurred.", "innererror": inner}
    return msgspec.json.encode({"error": error})


def _detailed(code: str, message: str) -> bytes:
    """Return an error as the service sends it to clients that request all annotations."""
    terms = "@Microsoft.PowerApps.CDS"
    error = {
        "code": code,
        "message": message,
        f"{terms}.ErrorDetails.ApiExceptionSourceKey": "Plugin/Sandbox.Plugin, Version=1.0.0.0",
        f"{terms}.ErrorDetails.ApiExceptionCategory": "SystemFailure",
        # The service has this misspelling.
        f"{terms}.ErrorDetails.ApiExceptionMesageName": "SandboxWorkerNotAvailable",
        f"{terms}.ErrorDetails.ApiExceptionHttpStatusCode": "500",
        f"{terms}.TraceText": "\r\n[Sandbox: Sandbox.Plugin]\r\n",
        f"{terms}.InnerError.Message": message,
    }
    return msgspec.json.encode({"error": error})


#: Values of `sandbox.faults.fault.Fault.error_form`, with the media type of each format.
FORMS: dict[str, tuple[Callable[[str, str], bytes], str]] = {
    "odata": (odata, JSON),
    "no_code": (_no_code, JSON),
    "decimal": (_decimal, JSON),
    "exception": (_exception, "application/json; charset=utf-8"),
    "odata_v3": (_odata_v3, "application/json; odata=minimalmetadata"),
    "xml": (_xml, XML),
    "text": (_text, "text/plain; charset=utf-8"),
    "bad_escape": (_bad_escape, JSON),
    "inner": (_inner, JSON),
    "detailed": (_detailed, JSON),
}


def refusal(form: str, code: str, message: str) -> tuple[str, bytes]:
    """Return media type and body of an error.

    Args:
        form: One of `FORMS`, or of the forms of the other services.
        code: Error code such as `0x80040216`, or empty.
        message: Error message. Empty takes the service's message for the code.

    Raises:
        ValueError: There is no such format.
    """
    forms = FORMS | finance_forms.FORMS | central_forms.FORMS
    if form not in forms:
        text = f"Unknown form of an error: '{form}'; the forms are {sorted(forms)}."
        raise ValueError(text)
    write, media_type = forms[form]
    return media_type, write(code, message or message_of(code))


# Titles and texts with which IIS and HTTP.sys refuse a URL that is too long.
LONG_ADDRESS = {
    404: (
        "404 - File or directory not found.",
        "The resource you are looking for might have been removed or had its name changed.",
    ),
    414: ("Request-URI Too Long", "The requested URL's length exceeds the capacity limit."),
    400: ("Bad Request - Invalid URL", "HTTP Error 400. The request URL is invalid."),
}


def long_address(status: int) -> bytes:
    """Return a web page that refuses a URL because of its length."""
    title, text = LONG_ADDRESS.get(status, (f"Error {status}", "The request is refused."))
    return (
        f"<!DOCTYPE html>\r\n<html><head><title>{title}</title></head>\r\n"
        f"<body><h2>{title}</h2>\r\n<hr><p>{text}</p>\r\n</body></html>\r\n"
    ).encode()
