"""Errors of Business Central: codes of its documentation, and a correlation id in each message."""

from __future__ import annotations

import re

from sandbox.faults import central_forms, finance_forms
from sandbox.faults.errors import ServiceError

NO_PERMISSION = re.compile(
    r"Sorry, the current permissions prevented the action\. \(TableData (.*) Read: (.*)\)"
)
NO_PERMISSION_GERMAN = (
    r"Die aktuellen Berechtigungen haben die Aktion verhindert. (TableData \1 Lesen: \2)"
)
# Error texts in German, by the English text.
GERMAN = {
    "You must get to the parent first to get to the default dimensions.": (
        "Sie müssen zuerst zum übergeordneten Element wechseln, um zu den Standarddimensionen zu "
        "gelangen."
    ),
    "You must get to the parent first to get to the picture.": (
        "Sie müssen zuerst zum übergeordneten Element wechseln, um zum Bild zu gelangen."
    ),
    "Dimension Value does not exist.": "Der Dimensionswert ist nicht vorhanden.",
    "You must specify an Id or a Document Id to get the lines.": (
        "Sie müssen eine ID oder eine Beleg-ID angeben, um die Zeilen abzurufen."
    ),
    "You must specify a journal batch ID or a journal ID to get a journal line.": (
        "Sie müssen eine Buch.-Blattnamen-ID oder eine Buch.-Blatt-ID angeben, um eine "
        "Buch.-Blattzeile abzurufen."
    ),
    "You must get to the parent first to get to the dimension set line.": (
        "Sie müssen zuerst zum übergeordneten Element wechseln, um zur Dimensionssatzzeile zu "
        "gelangen."
    ),
    central_forms.MESSAGES["Authentication_InvalidCredentials"]: (
        "Der Server hat die Clientanmeldeinformationen abgelehnt."
    ),
    "Cannot insert a record. Current connection intent is Read-Only.": (
        "Ein Datensatz kann nicht eingefügt werden. Die aktuelle Verbindungsabsicht ist "
        "schreibgeschützt."
    ),
}
INVALID_CREDENTIALS = "Authentication_InvalidCredentials"
NOT_IMPLEMENTED = "BadRequest_MethodNotImplemented"


class CentralError(ServiceError):
    """An error response.

    Args:
        status: Status of the response.
        code: Error code.
        message: Error message, without the correlation id.
        headers: Further headers of the response.
    """

    def content(self, language: str) -> bytes:
        """Return the body in a language.

        Args:
            language: Value of the `Accept-Language` header.
        """
        german = language.lower().startswith("de")
        text = _in_german(self.message) if german else self.message
        return central_forms.central(self.code, text)


class BareError(CentralError):
    """An error response of HTTP.sys: without a body, or with a web page.

    Args:
        status: Status of the response.
        page: The web page.
    """

    def __init__(self, status: int, page: bytes = b"") -> None:
        super().__init__(status, "", "")
        self.page = page

    def content(self, language: str) -> bytes:  # noqa: ARG002  - the page has one language
        """Return the web page."""
        return self.page


def _in_german(message: str) -> str:
    return GERMAN.get(message) or NO_PERMISSION.sub(NO_PERMISSION_GERMAN, message)


def in_own_shape(error: ServiceError) -> CentralError:
    """Return an error of code that the services share in the shape of this service."""
    return error if isinstance(error, CentralError) else bad_query(error.message)


def bad_query(message: str) -> CentralError:
    """Return the error for a query that is not understood."""
    return CentralError(400, "BadRequest", message)


def not_implemented(message: str) -> CentralError:
    """Return the error for a query that the service does not translate."""
    return CentralError(501, NOT_IMPLEMENTED, message)


def unknown_segment(segment: str) -> CentralError:
    """Return the error for a path that does not exist."""
    message = f"Resource not found for the segment '{segment}'."
    return CentralError(404, "BadRequest_ResourceNotFound", message)


def no_row() -> CentralError:
    """Return the error for a row that does not exist."""
    message = "The record that you tried to open does not exist."
    return CentralError(404, "Internal_RecordNotFound", message)


def no_company(name: str) -> CentralError:
    """Return the error for a company that does not exist."""
    message = f'Cannot find company "{name}".' if name else "No company is specified."
    return CentralError(404, "Internal_CompanyNotFound", message)


def no_environment(name: str) -> CentralError:
    """Return the error for an environment that does not exist."""
    return CentralError(404, "NoEnvironment", f"Environment '{name}' does not exist.")


def wrong_method(method: str) -> CentralError:
    """Return the error for a method that the sandbox does not support."""
    message = f"The method '{method}' is not allowed."
    return CentralError(405, "BadRequest_MethodNotAllowed", message)


def unauthorized() -> CentralError:
    """Return the error for a token that the environment does not accept."""
    message = central_forms.MESSAGES[INVALID_CREDENTIALS]
    return CentralError(401, INVALID_CREDENTIALS, message)


def wrong_password() -> CentralError:
    """Return the error of an on-premises server for a wrong user or web service access key."""
    headers = {"WWW-Authenticate": 'Basic realm="Business Central"'}
    message = "The credentials provided are incorrect."
    return CentralError(401, "Unauthorized", message, headers)


def no_permission(status: int, table: str) -> CentralError:
    """Return the error for a table that the permission sets don't reach.

    Args:
        status: Status of the response.
        table: Name of the table.
    """
    message = (
        "Sorry, the current permissions prevented the action. "
        f"(TableData {table} Read: Base Application)"
    )
    return CentralError(status, "Internal_ServerError", message)


def dialog(message: str) -> CentralError:
    """Return the error that the code of a page raises."""
    return CentralError(400, "Application_DialogException", message)


def too_many(actual: int, most: int) -> CentralError:
    """Return the refusal of a request because the user sends too many; it has no `Retry-After`.

    Args:
        actual: Number of requests.
        most: Largest number of requests.
    """
    message = f"Too many requests reached. Actual ({actual}). Maximum ({most})."
    return CentralError(429, central_forms.TOO_MANY, message)


def waited_too_long(retry_after: str) -> CentralError:
    """Return the refusal of a request that waited too long for its turn."""
    message = "The server is busy. Please try again later."
    return CentralError(503, "Unknown", message, {"Retry-After": retry_after})


def read_only() -> CentralError:
    """Return the error of a page that writes when it is opened, on a read-only connection."""
    message = "Cannot insert a record. Current connection intent is Read-Only."
    return CentralError(400, "Internal_ServerError", message)


def changed() -> CentralError:
    """Return the refusal of a read of a row that another user is changing."""
    code = "Request_EntityChanged"
    return CentralError(409, code, central_forms.MESSAGES[code])


def timed_out() -> BareError:
    """Return the answer of the gateway to a request that takes longer than it waits."""
    return BareError(504, finance_forms.page("504 Gateway Time-out"))


def page_too_large(most: int) -> CentralError:
    """Return the refusal of a page size above the largest one."""
    message = f"The page size exceeds the maximum of {most} entities."
    return CentralError(413, "RequestEntityTooLarge", message)


def lost_token() -> CentralError:
    """Return the error for a skip token whose row is gone from a sorted read."""
    return CentralError(400, "SkipTokenIsNoLongerValid", "The skip token is no longer valid.")
