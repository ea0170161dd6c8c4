"""Error classification: the codes and messages of Business Central, and what each one means.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/dynamics-error-codes

Exceptions in the code of a page come with general codes and statuses, so the words of the message
decide first. The client asks for them in English.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_dynamics365.errors import Failure
from tap_dynamics365.odata import errors as odata_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.http.refusal import Refusal

FAILURES: Mapping[str, Failure] = {
    "Application_TooManyRequests": Failure.THROTTLED,
    # Another user changed a row of the page.
    "Request_EntityChanged": Failure.TRANSIENT,
    # An update of the environment is under way.
    "Internal_TenantUnavailable": Failure.TRANSIENT,
    # The app or the user is not known here, or the token is for another service.
    "Authentication_InvalidCredentials": Failure.UNAUTHORIZED,
    # The spelling in the documentation.
    "Authenciation_InvalidCredentials": Failure.UNAUTHORIZED,
    "BadRequest_ResourceNotFound": Failure.GONE,
    "Internal_CompanyNotFound": Failure.GONE,
    "Internal_RecordNotFound": Failure.GONE,
    "Internal_TenantNotFound": Failure.GONE,
    "NoEnvironment": Failure.GONE,
    "Application_FilterErrorException": Failure.NOT_UNDERSTOOD,
    "BadRequest_InvalidRequestUrl": Failure.NOT_UNDERSTOOD,
    "BadRequest_MethodNotAllowed": Failure.NOT_UNDERSTOOD,
    "BadRequest_MethodNotImplemented": Failure.NOT_UNDERSTOOD,
    # The code of the page refuses a read without the id of a parent. Its text can be translated.
    "Application_DialogException": Failure.NEEDS_PARENT,
    "SkipTokenIsNoLongerValid": Failure.LINK_LOST,
    # The code of the page asks a question, misses a row or refuses a value, and will do so again.
    "Internal_DataNotFoundFilter": Failure.FATAL,
    "Application_CallbackNotAllowed": Failure.FATAL,
    "Application_FieldValidationException": Failure.FATAL,
}

# The wording of a missing permission differs between versions; codes and statuses do too.
DENIED = re.compile(
    r"\bpermissions? prevented the action\b"
    r"|\b(?:do(?:es)? not|don't|doesn't) (?:have|grant)\b[^.]*\bpermissions?\b"
    r"|\bTableData\b[^.]*\bpermissions?\b",
    re.IGNORECASE,
)
# https://learn.microsoft.com/dynamics365/business-central/dev-itpro/administration/database-read-scale-out-overview
READ_ONLY = re.compile(r"\bconnection intent is read-?only\b", re.IGNORECASE)
LINK_LOST = re.compile(r"\bskip ?token is no longer valid\b", re.IGNORECASE)
TRANSIENT = re.compile(
    r"\btry again later\b|\bplease retry\b|\bdeadlock|\blocked by another user\b", re.IGNORECASE
)
TIMED_OUT = re.compile(r"\btimed out\b|\btime-?out expired\b|\btook longer than\b", re.IGNORECASE)
TOO_LONG = re.compile(
    r"\b(?:url|uri|query(?: string)?|address)\b[^.]*\b(?:too long|exceeds)\b"
    r"|\blength of the (?:url|uri|query)\b",
    re.IGNORECASE,
)
# The order matters: texts about permissions may ask the reader to try again.
WORDS: tuple[tuple[re.Pattern[str], Failure], ...] = (
    (DENIED, Failure.DENIED),
    (READ_ONLY, Failure.READ_ONLY),
    (LINK_LOST, Failure.LINK_LOST),
    (TRANSIENT, Failure.TRANSIENT),
)
# With another status, the words belong to a refusal that is known by it, such as 429 and 503.
STATUSES_OF_WORDS = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.CONFLICT,
    HTTPStatus.INTERNAL_SERVER_ERROR,
}

NO_METADATA = (
    "Check service_url: it is the address of an API with the environment, such as "
    "https://api.businesscentral.dynamics.com/v2.0/<tenant>/Production/api/v2.0/. On-premises, an "
    "administrator has to enable the API services, or for /ODataV4/ the OData services."
)
ENTRA_PAGE = "the page Microsoft Entra applications in Business Central"
# https://learn.microsoft.com/dynamics365/business-central/dev-itpro/administration/automation-apis-using-s2s-authentication
ADVICE: Mapping[Failure, str] = {
    Failure.DENIED: (
        f"For an app, add a permission set that may read the table on {ENTRA_PAGE}; for a person, "
        "on the page Users. To leave out a whole company, use the setting companies."
    ),
}
ADVICE_BY_CODE: Mapping[str, str] = {
    "Authentication_InvalidCredentials": (
        "For an app that signs in as itself, check in each environment that its client ID is on "
        f"{ENTRA_PAGE}, with the state Enabled and permission sets, and in Microsoft Entra that "
        "the application permission API.ReadWrite.All has admin consent. For a person, check "
        "that the person is a user of this environment. The token has to be for the audience "
        "https://api.businesscentral.dynamics.com (scope), and from the tenant of the environment "
        "(token_uri)."
    ),
    "Internal_CompanyNotFound": (
        "The company was renamed or removed, or the credentials may not read it."
    ),
    "NoEnvironment": (
        "Check the environment in service_url: the Business Central admin center lists the "
        "environments of the tenant."
    ),
    "Internal_TenantNotFound": "Check the tenant in service_url.",
    "BadRequest_ResourceNotFound": (
        "Check the API in service_url or api_routes. A custom API is there while its extension is "
        "installed."
    ),
}

CORRELATION_HEADERS: tuple[str, ...] = ("ms-correlation-x", "Request-Id")

is_transient = odata_errors.is_transient
unknown_column = odata_errors.unknown_column


def classify(said: Refusal, status: int) -> Failure | None:
    """Classify a refusal.

    Args:
        said: The code and the message.
        status: The status.

    Returns:
        The failure; None if they do not decide, so that the status has to.
    """
    if status == HTTPStatus.UNAUTHORIZED:
        return None
    if status in STATUSES_OF_WORDS:
        found = next((failure for pattern, failure in WORDS if pattern.search(said.words)), None)
        if found is not None:
            return found
    if status == HTTPStatus.INTERNAL_SERVER_ERROR and TIMED_OUT.search(said.words):
        return Failure.TOO_LARGE
    if status == HTTPStatus.BAD_REQUEST and TOO_LONG.search(said.words):
        return Failure.ADDRESS_TOO_LONG
    if status == HTTPStatus.NOT_FOUND and said.is_empty:
        # An unknown set of the OData web services on-premises.
        return Failure.GONE
    return FAILURES.get(said.code) or odata_errors.classify(said, status)


def advice(failure: Failure, code: str) -> str:
    """Say what the user can do about a refusal.

    Args:
        failure: How the refusal is classified.
        code: The error code.

    Returns:
        One or two sentences; empty if nothing is known.
    """
    return ADVICE.get(failure) or ADVICE_BY_CODE.get(code, "")
