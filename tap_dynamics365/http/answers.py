"""What the service answered: what was asked for, a refusal that passes, or one that does not."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import msgspec

from tap_dynamics365.errors import (
    TRANSIENT_STATUSES,
    WEB_PAGE,
    ServiceError,
    TransientServiceError,
)
from tap_dynamics365.http import json_text
from tap_dynamics365.words import printable, without

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

JSON = "application/json"

# What to do about a refusal, by the service's code for it.
# https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes
ADVICE = {
    "0x80072560": (
        "Who signs in is no user of this environment: for an app (client_id), add an application "
        "user with a security role in the Power Platform admin center under Environments > the "
        "environment > Settings > Users + permissions > Application users; for a person, under "
        "Users."
    ),
    "0x80040225": (
        "Who signs in is a disabled user of this environment: enable the user in the Power "
        "Platform admin center under Environments > the environment > Settings > Users + "
        "permissions, or sign in as another one."
    ),
}

_NO_METADATA = (
    "Check service_url: it is the address of the Web API with its version, such as "
    "https://yourorg.api.crm.dynamics.com/api/data/v9.2/."
)

# Limits, whatever status tells of them: of requests, execution time and concurrency; of queries.
# https://learn.microsoft.com/power-apps/developer/data-platform/api-limits
# https://learn.microsoft.com/power-apps/developer/data-platform/query-throttling
THROTTLING_CODES = {
    "0x80072321",
    "0x80072322",
    "0x80072326",
    "0x80048544",
    "0x80048644",
    "0x80048744",
    "0x80048745",
}
# The query took too long: SQL's own time-out, and those whose cause the service could tell.
# https://learn.microsoft.com/power-apps/developer/data-platform/query-antipatterns
SQL_TIMEOUT_CODES = {"0x80044151", "0x80048573", "0x80048574", "0x80048575"}
# What the service says of a fault of its own, be it with 500 or with 400: unexpected, an answer of
# more than 100 MB among them; and an error of SQL such as a deadlock.
UNEXPECTED, SQL_ERROR = "0x80040216", "0x80044150"
PASSING_CODES = THROTTLING_CODES | SQL_TIMEOUT_CODES | {UNEXPECTED, SQL_ERROR}

# Business Central has no codes for what passes, but says so.
PASSING_WORDS = re.compile(r"\btry again later\b|\bplease retry\b|\bdeadlock", re.IGNORECASE)

# How JSON fails to be what it should: cut off, of another form, no UTF-8, or too deep.
SENSELESS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# With these the service has made up its mind, whatever it says beside.
FINAL_STATUSES = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.NOT_IMPLEMENTED,
}


def check(response: requests.Response, unauthorized: Callable[[], str]) -> None:
    """Raise if the service did not fulfil a request.

    Args:
        response: What it answered. Whether all of it came is not looked at.
        unauthorized: Tells what to do about a sign-in that it does not accept.

    Raises:
        TransientServiceError: It may do so later.
        ServiceError: It will not.
    """
    if response.is_redirect:
        raise ServiceError(_redirected(response), status=response.status_code)
    if response.status_code < HTTPStatus.BAD_REQUEST and not _is_web_page(response):
        return
    code, words = _error(response)
    path = urlsplit(response.url).path
    message = f"The service answered {response.status_code} to {path}: {words}"
    if code:
        message += f" ({code})"
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        message = f"{message.rstrip('.')}. It does not accept the sign-in. {unauthorized()}"
    elif code in ADVICE:
        message = f"{message.rstrip('.')}. {ADVICE[code]}"
    elif response.status_code == HTTPStatus.NOT_FOUND and path.endswith("/$metadata"):
        message = f"{message.rstrip('.')}. {_NO_METADATA}"
    if _passes(response.status_code, code, words):
        raise TransientServiceError(message, response, code=code)
    raise ServiceError(message, status=response.status_code, code=code)


def _redirected(response: requests.Response) -> str:
    """Tell of a redirect that was not followed; what stands behind the host may be secret."""
    parts = urlsplit(response.url)
    try:
        there = urlsplit(urljoin(response.url, response.headers["Location"]))
        place = printable(
            f"{there.scheme}://{there.hostname}{f':{there.port}' if there.port else ''}"
        )
    except ValueError:
        place = "an address that is none"
    return (
        f"The service answered {response.status_code} to {parts.path}: it redirects to {place}, "
        f"which is not followed, since the sign-in is for {parts.scheme}://{parts.netloc} alone: "
        "check service_url, and whether a sign-in page or a gateway is in between."
    )


def _passes(status: int, code: str, words: str) -> bool:
    """Tell whether a refusal may be gone when the request is repeated."""
    # A page of rows that is too large is asked for again with fewer of them.
    if status in TRANSIENT_STATUSES or status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return True
    if status < HTTPStatus.BAD_REQUEST or status in FINAL_STATUSES:
        return False
    return code in PASSING_CODES or PASSING_WORDS.search(words) is not None


def check_whole(response: requests.Response) -> str:
    """Raise if what should be JSON is cut off, or was spoilt on its way.

    HTTP tells of a body that is shorter than announced, but not of one that nobody announced, nor
    of what a gateway stored or made of it.

    Args:
        response: What the service answered. Where values in it had to be repaired, its content is
            what came of that.

    Returns:
        What was done to values, as the log says it; nothing in almost every answer.

    Raises:
        TransientServiceError: It is not all there.
        ServiceError: It is a web page, or all there and yet not to be read.
    """
    body = response.content
    path = urlsplit(response.url).path
    try:
        readable, repairs = json_text.readable(body)
    except RecursionError as error:
        msg = f"The service's answer to {path} holds values within values, too deep to be read."
        raise ServiceError(msg, status=response.status_code) from error
    except SENSELESS as error:
        if body.lstrip()[:1] == b"<":
            msg = f"The service answered {response.status_code} to {path}: {WEB_PAGE}."
            raise ServiceError(msg, status=response.status_code) from error
        kind = printable(response.headers.get("Content-Type", "no content type"))
        msg = (
            f"The service's answer to {path} is cut off, or is not JSON ({kind}, {len(body)} "
            f"bytes: {printable(str(error))})."
        )
        raise TransientServiceError(msg, response) from error
    if readable is not body:
        response._content = readable  # noqa: SLF001 - whoever reads the answer reads this
    return repairs


def _error(response: requests.Response) -> tuple[str, str]:
    """Read code and message from the body of an error (OData JSON Format 4.0, section 19)."""
    try:
        error = json.loads(response.content)["error"]
        code = error.get("code")
        return _words(response, str(code or "")), _words(response, str(error["message"]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # A server on-premises refuses a sign-in with a page of its own.
        if _is_web_page(response) and response.status_code != HTTPStatus.UNAUTHORIZED:
            return "", f"{WEB_PAGE}."
        return "", printable(response.reason or "no reason given")


def _words(response: requests.Response, message: str) -> str:
    """Make the service's words fit for the log, should it repeat what it was sent."""
    secret = response.request.headers.get("Authorization", "").partition(" ")[2]
    return printable(without(message, [secret]))


def _is_web_page(response: requests.Response) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("text/html")
