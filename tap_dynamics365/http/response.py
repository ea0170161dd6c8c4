"""Response: checks the responses of a service, and classifies refusals as failures."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

import msgspec

from tap_dynamics365.errors import RETRYABLE, WEB_PAGE, Failure, ServiceError
from tap_dynamics365.http import json_text, refusal
from tap_dynamics365.http.status import is_transient
from tap_dynamics365.redaction import printable, redact

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

JSON = "application/json"

# The exceptions of a decoder: the JSON is cut off, has another form, is not UTF-8, or is nested too
# deeply.
DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# Every proxy and gateway accepts a URL of this length. By default, IIS refuses longer queries.
# https://learn.microsoft.com/iis/configuration/system.webserver/security/requestfiltering/requestlimits/
SAFE_URL = 2_048

# The id of a request in a message of the service.
CORRELATION_ID = re.compile(r"\bCorrelationId:\s*([0-9a-f-]{36})", re.IGNORECASE)

# The failure where neither the code nor the messages of a refusal are known.
BY_STATUS: dict[int, Failure] = {
    HTTPStatus.UNAUTHORIZED: Failure.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN: Failure.DENIED,
    HTTPStatus.NOT_FOUND: Failure.GONE,
    HTTPStatus.BAD_REQUEST: Failure.NOT_UNDERSTOOD,
    HTTPStatus.METHOD_NOT_ALLOWED: Failure.NOT_UNDERSTOOD,
    HTTPStatus.NOT_IMPLEMENTED: Failure.NOT_UNDERSTOOD,
    HTTPStatus.GONE: Failure.GONE,
    HTTPStatus.REQUEST_URI_TOO_LONG: Failure.ADDRESS_TOO_LONG,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: Failure.ADDRESS_TOO_LONG,
    HTTPStatus.TOO_MANY_REQUESTS: Failure.THROTTLED,
    HTTPStatus.REQUEST_TIMEOUT: Failure.TOO_LARGE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Failure.TOO_LARGE,
    HTTPStatus.GATEWAY_TIMEOUT: Failure.TOO_LARGE,
}
# Gateways and proxies use these statuses too: for a missing route, a blocked request, or a URL that
# is too long. Only the service itself can say that it denies, lacks or does not understand
# something.
GATEWAY_STATUSES = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
}
SERVICE_ONLY = {Failure.DENIED, Failure.GONE, Failure.NOT_UNDERSTOOD}
# There is no metadata document, because the URL is wrong or the API is switched off.
NO_DOCUMENT = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
# A retry does not help with these statuses, whatever the message says, unless the code is known to
# be transient.
FINAL_STATUSES = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.NOT_IMPLEMENTED,
}


class Errors(Protocol):
    """The known errors of a service.

    Attributes:
        NO_METADATA: What the user can do if there is no metadata document.
        CORRELATION_HEADERS: The headers with the id of a request, by which the support of the
            service finds it. The first one that a response has is a part of the message, unless
            the service's own message has the id.
    """

    NO_METADATA: str
    CORRELATION_HEADERS: tuple[str, ...]

    def classify(self, said: refusal.Refusal, status: int) -> Failure | None:
        """Classify a refusal by its code and messages; None if they are not known."""

    def is_transient(self, said: refusal.Refusal) -> bool:
        """Tell whether the messages of a refusal ask for a retry."""

    def unknown_column(self, words: str) -> str:
        """Find the name of a column that the service does not know."""

    def advice(self, failure: Failure, code: str) -> str:
        """Say what the user can do, in one or two sentences; empty if nothing is known."""


def check(
    response: requests.Response, errors: Errors, advice: Callable[[], str], *, is_reached: bool
) -> None:
    """Raise if the service did not fulfil a request.

    Args:
        response: The response. Whether it is complete is not checked.
        errors: The known errors of the service.
        advice: Says what to do if the service does not accept the sign-in.
        is_reached: Whether the service has answered before. From then on, a web page comes from a
            gateway, and is transient.

    Raises:
        ServiceError: The service did not fulfil the request.
    """
    if response.is_redirect:
        raise ServiceError(_redirected(response))
    status = response.status_code
    if status < HTTPStatus.MULTIPLE_CHOICES and not _is_web_page(response):
        return
    said = refusal.read(response.content, response.headers.get("Content-Type", ""))
    failure = _failure(response, said, errors, is_reached=is_reached)
    path = urlsplit(response.url).path
    message = f"The service answered {status} to {path}: {_words(response, said)}"
    if said.code:
        message += f" ({printable(said.code)})"
    message = _with_correlation_id(message, response, said, errors)
    known = errors.advice(failure, said.code)
    if failure is Failure.UNAUTHORIZED:
        message = (
            f"{message.rstrip('.')}. It does not accept the sign-in. {advice()} {known}".strip()
        )
    elif known:
        message = f"{message.rstrip('.')}. {known}"
    elif status in NO_DOCUMENT and path.endswith("/$metadata"):
        message = f"{message.rstrip('.')}. {errors.NO_METADATA}"
    column = errors.unknown_column(said.words) if failure is Failure.UNKNOWN_COLUMN else ""
    raise ServiceError(message, failure, response=response, column=column)


def late_error(response: requests.Response, errors: Errors) -> ServiceError:
    """Make the error of a response that begins as a success and contains an error.

    Args:
        response: The response.
        errors: The known errors of the service.

    Returns:
        The error. It is classified as a server error if its code and messages are not known.
    """
    said = refusal.read(response.content, JSON)
    code = f" ({printable(said.code)})" if said.code else ""
    message = (
        f"The service's response to {urlsplit(response.url).path} contains an error: "
        f"{_words(response, said)}{code}"
    )
    message = _with_correlation_id(message, response, said, errors)
    failure = classify(HTTPStatus.INTERNAL_SERVER_ERROR, said, errors)
    return ServiceError(message, failure, response=response)


def _with_correlation_id(
    message: str, response: requests.Response, said: refusal.Refusal, errors: Errors
) -> str:
    """Add the id of the request to a message that does not have it."""
    if not errors.CORRELATION_HEADERS:
        return message
    own = CORRELATION_ID.search(said.words)
    headers = (response.headers.get(name, "") for name in errors.CORRELATION_HEADERS)
    found = own[1] if own else next((printable(value) for value in headers if value), "")
    if not found or found in message:
        return message
    return f"{message.rstrip('.')}. CorrelationId: {found}."


def _redirected(response: requests.Response) -> str:
    """Describe a redirect that was not followed, without the path, which may be secret."""
    parts = urlsplit(response.url)
    try:
        there = urlsplit(urljoin(response.url, response.headers["Location"]))
        place = printable(
            f"{there.scheme}://{there.hostname}{f':{there.port}' if there.port else ''}"
        )
    except ValueError:
        place = "an invalid address"
    return (
        f"The service answered {response.status_code} to {parts.path}: it redirects to {place}. "
        f"The redirect is not followed, because the sign-in is only for "
        f"{parts.scheme}://{parts.netloc}. Check service_url, and whether a sign-in page or a "
        "gateway is in between."
    )


def _failure(
    response: requests.Response, said: refusal.Refusal, errors: Errors, *, is_reached: bool
) -> Failure:
    """Classify a response that did not fulfil the request."""
    status = response.status_code
    if status < HTTPStatus.BAD_REQUEST:
        is_gateway = is_reached and status < HTTPStatus.MULTIPLE_CHOICES
        return Failure.TRANSIENT if is_gateway else Failure.FATAL
    failure = classify(status, said, errors, query=urlsplit(response.url).query)
    is_known = said.is_own or errors.classify(said, status) is not None
    if is_known or status not in GATEWAY_STATUSES or failure not in SERVICE_ONLY:
        return failure
    is_page = _is_web_page(response) and status != HTTPStatus.FORBIDDEN
    if is_page and len(response.url) > SAFE_URL:
        return Failure.ADDRESS_TOO_LONG
    return Failure.TRANSIENT if is_reached else Failure.FATAL


def classify(status: int, said: refusal.Refusal, errors: Errors, *, query: str = "") -> Failure:
    """Classify a refusal of the service itself.

    Args:
        status: The status, from 400 on.
        said: The code and the messages.
        errors: The known errors of the service.
        query: The query that was refused.

    Returns:
        The failure, by code, else by the messages, else by status.
    """
    known = errors.classify(said, status)
    failure = known or _by_status(status, query)
    if status in FINAL_STATUSES or known not in {None, Failure.FATAL} or failure in RETRYABLE:
        return failure
    return Failure.TRANSIENT if errors.is_transient(said) else failure


def _by_status(status: int, query: str) -> Failure:
    if status == HTTPStatus.GONE and "deltatoken" in query:
        # OData 4.0 Protocol, section 11.3.
        return Failure.TOKEN_EXPIRED
    return BY_STATUS.get(status) or (Failure.TRANSIENT if is_transient(status) else Failure.FATAL)


def check_whole(
    response: requests.Response, errors: Errors, *, is_reached: bool
) -> tuple[str, ...]:
    """Raise if a JSON response is cut off or damaged.

    HTTP detects a body that is shorter than its announced length. It does not detect damage where
    no length was announced, or where a gateway changed the body.

    Args:
        response: The response. Its content is replaced if values have to be repaired.
        errors: The known errors of the service.
        is_reached: Whether the service has answered before.

    Returns:
        Descriptions of the repairs that changed values; almost always empty.

    Raises:
        ServiceError: The response is incomplete, not JSON, a web page, or nested too deeply.
    """
    body = response.content
    path = urlsplit(response.url).path
    try:
        readable, repairs = json_text.readable(body)
    except RecursionError as error:
        msg = f"The service's response to {path} can't be read: its values are nested too deeply."
        raise ServiceError(msg) from error
    except DECODE_ERRORS as error:
        if body.lstrip()[:1] == b"<":
            msg = f"The service answered {response.status_code} to {path}: {WEB_PAGE}."
            msg = _with_correlation_id(msg, response, refusal.Refusal(), errors)
            failure = Failure.TRANSIENT if is_reached else Failure.FATAL
            raise ServiceError(msg, failure, response=response) from error
        kind = printable(response.headers.get("Content-Type", "no content type"))
        msg = (
            f"The service's response to {path} is cut off, or is not JSON ({kind}, {len(body)} "
            f"bytes: {printable(str(error))})."
        )
        msg = _with_correlation_id(msg, response, refusal.Refusal(), errors)
        raise ServiceError(msg, Failure.TRANSIENT, response=response) from error
    if readable is not body:
        response._content = readable  # noqa: SLF001 - requests has no public way to replace it
    return repairs


def _words(response: requests.Response, said: refusal.Refusal) -> str:
    """Say why a request was refused, with the service's message if there is one."""
    if said.cause:
        # The service may repeat the token of the request.
        secret = response.request.headers.get("Authorization", "").partition(" ")[2]
        return printable(redact(said.cause, [secret]))
    # An on-premises server refuses a sign-in with a web page.
    if _is_web_page(response) and response.status_code != HTTPStatus.UNAUTHORIZED:
        return f"{WEB_PAGE}."
    return printable(response.reason or "no reason given")


def _is_web_page(response: requests.Response) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("text/html")
