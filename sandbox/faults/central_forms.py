"""Body of errors of Business Central, with the codes of its documentation.

Microsoft Learn, "Error codes" of Business Central web services; every message ends with a
correlation id.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

JSON = "application/json; odata.metadata=minimal"
TOO_MANY = "Application_TooManyRequests"
#: Messages of the service, by code.
MESSAGES = {
    TOO_MANY: "Too many requests reached. Actual (101). Maximum (100).",
    "Application_CallbackNotAllowed": "Callback functions are not allowed.",
    "Application_DialogException": "The dialog could not be opened.",
    "Authentication_InvalidCredentials": "The server has rejected the client credentials.",
    "Internal_CompanyNotFound": "The company could not be found.",
    "Internal_ServerError": "An internal server error occurred.",
    "Internal_TenantUnavailable": "The tenant is unavailable. Please try again later.",
    "Request_EntityChanged": "Another user has already changed the record.",
    "Unknown": "An error occurred.",
}
#: Messages with which transient failures come as 400 and 409.
TRY_LATER = "The operation could not be completed. Please try again later."
DEADLOCK = (
    "Your activity was deadlocked with another user modifying the 'Sales Header' table. Start your "
    "activity again."
)


def central(code: str, message: str) -> bytes:
    """Return an error in the form of Business Central.

    Args:
        code: Error code, such as `Internal_ServerError`.
        message: Message without the correlation id.
    """
    known = message if message != "As ordered." else MESSAGES.get(code, message)
    text = f"{known}  CorrelationId:  {uuid.uuid4()}."
    return msgspec.json.encode({"error": {"code": code, "message": text}})


#: Values of `sandbox.faults.fault.Fault.error_form` besides those of the other services.
FORMS: dict[str, tuple[Callable[[str, str], bytes], str]] = {"central": (central, JSON)}
