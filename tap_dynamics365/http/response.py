"""What the service answered: what was asked for, or a failure, which is classified here."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

import msgspec

from tap_dynamics365.errors import RETRYABLE, WEB_PAGE, Failure, ServiceError
from tap_dynamics365.http import json_text, refusal
from tap_dynamics365.http.status import is_transient
from tap_dynamics365.redaction import printable, without

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

JSON = "application/json"

_NO_METADATA = (
    "Check service_url: it is the address of the Web API with its version, such as "
    "https://yourorg.api.crm.dynamics.com/api/data/v9.2/."
)

# How JSON fails to be what it should: cut off, of another form, no UTF-8, or too deep.
SENSELESS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# An address of so many characters goes through every proxy and gateway; IIS refuses a query that
# is longer unless it is configured otherwise.
# https://learn.microsoft.com/iis/configuration/system.webserver/security/requestfiltering/requestlimits/
SAFE_URL = 2_048

# Without a code or words that tell more.
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
# These come from a gateway or proxy too: for a route that it lacks, for now or for good, for a
# request that it blocks, for an address that is longer than it accepts. Only the service itself
# tells what it denies, lacks or does not understand.
OTHERS = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GONE,
}
OWN_ALONE = {Failure.DENIED, Failure.GONE, Failure.NOT_UNDERSTOOD}
# With these the service has made up its mind: repeating the request does not help, whatever its
# words are. A code that says otherwise counts.
DECIDED = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.NOT_IMPLEMENTED,
}

# Business Central has no codes for what passes, but says so, as plug-ins do.
TRANSIENT_WORDS = re.compile(
    r"\btry again later\b|\bplease (?:re)?try(?: again)?\b|\bdeadlock", re.IGNORECASE
)


class Errors(Protocol):
    """What is known of a service's errors."""

    ADVICE: Mapping[str, str]

    def classify(self, code: str, words: str) -> Failure | None:
        """Tell what a refusal means, whatever its status; None if code and words do not tell."""

    def unknown_column(self, words: str) -> str:
        """Find the name of a column that the service does not know."""


def check(
    response: requests.Response, errors: Errors, advice: Callable[[], str], *, is_reached: bool
) -> None:
    """Raise if the service did not fulfil a request.

    Args:
        response: What it answered. Whether all of it came is not looked at.
        errors: What is known of its errors.
        advice: Tells what to do about a sign-in that it does not accept.
        is_reached: Whether the service itself has answered before: then a web page in its place
            is a gateway's, and passes.

    Raises:
        ServiceError: It did not.
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
    if failure is Failure.UNAUTHORIZED:
        message = f"{message.rstrip('.')}. It does not accept the sign-in. {advice()}"
    elif said.code in errors.ADVICE:
        message = f"{message.rstrip('.')}. {errors.ADVICE[said.code]}"
    elif status == HTTPStatus.NOT_FOUND and path.endswith("/$metadata"):
        message = f"{message.rstrip('.')}. {_NO_METADATA}"
    column = errors.unknown_column(said.words) if failure is Failure.UNKNOWN_COLUMN else ""
    raise ServiceError(message, failure, response=response, column=column)


def late_error(response: requests.Response, errors: Errors) -> ServiceError:
    """Make the error of an answer that begins as a success and holds an error.

    Args:
        response: The answer.
        errors: What is known of the service's errors.

    Returns:
        The error, classified as one of the server where code and words do not tell.
    """
    said = refusal.read(response.content, JSON)
    code = f" ({printable(said.code)})" if said.code else ""
    message = (
        f"The service's answer to {urlsplit(response.url).path} holds an error: "
        f"{_words(response, said)}{code}"
    )
    failure = classify(HTTPStatus.INTERNAL_SERVER_ERROR, said, errors)
    return ServiceError(message, failure, response=response)


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


def _failure(
    response: requests.Response, said: refusal.Refusal, errors: Errors, *, is_reached: bool
) -> Failure:
    """Classify an answer that is not what was asked for."""
    status = response.status_code
    if status < HTTPStatus.BAD_REQUEST:
        passes = is_reached and status < HTTPStatus.MULTIPLE_CHOICES
        return Failure.TRANSIENT if passes else Failure.FATAL
    failure = classify(status, said, errors, query=urlsplit(response.url).query)
    is_known = said.is_own or errors.classify(said.code, said.words) is not None
    if is_known or status not in OTHERS or failure not in OWN_ALONE:
        return failure
    is_page = _is_web_page(response) and status != HTTPStatus.FORBIDDEN
    if is_page and len(response.url) > SAFE_URL:
        return Failure.ADDRESS_TOO_LONG
    return Failure.TRANSIENT if is_reached else Failure.FATAL


def classify(status: int, said: refusal.Refusal, errors: Errors, *, query: str = "") -> Failure:
    """Tell what a refusal of the service itself means.

    Args:
        status: Its status, from 400 on.
        said: Its code and its messages.
        errors: What is known of the service's errors.
        query: The query that was refused.

    Returns:
        The meaning: by code, else by words, else by status.
    """
    by_status = _by_status(status, query)
    known = errors.classify(said.code, said.words)
    if status == HTTPStatus.UNAUTHORIZED:
        return by_status
    meaning = known or by_status
    if status in DECIDED or known not in {None, Failure.FATAL} or meaning in RETRYABLE:
        return meaning
    return Failure.TRANSIENT if TRANSIENT_WORDS.search(said.words) else meaning


def _by_status(status: int, query: str) -> Failure:
    if status == HTTPStatus.GONE and "deltatoken" in query:
        # OData 4.0 Protocol, section 11.3.
        return Failure.TOKEN_EXPIRED
    return BY_STATUS.get(status) or (Failure.TRANSIENT if is_transient(status) else Failure.FATAL)


def check_whole(response: requests.Response, *, is_reached: bool) -> tuple[str, ...]:
    """Raise if what should be JSON is cut off, or was spoilt on its way.

    HTTP tells of a body that is shorter than announced, but not of one that nobody announced, nor
    of what a gateway stored or made of it.

    Args:
        response: What the service answered. Where values in it had to be repaired, its content is
            what came of that.
        is_reached: Whether the service itself has answered before.

    Returns:
        What was done to values, as the log says it; nothing in almost every answer.

    Raises:
        ServiceError: It is not all there, or a web page, or all there and yet not to be read.
    """
    body = response.content
    path = urlsplit(response.url).path
    try:
        readable, repairs = json_text.readable(body)
    except RecursionError as error:
        msg = f"The service's answer to {path} holds values within values, too deep to be read."
        raise ServiceError(msg) from error
    except SENSELESS as error:
        if body.lstrip()[:1] == b"<":
            msg = f"The service answered {response.status_code} to {path}: {WEB_PAGE}."
            failure = Failure.TRANSIENT if is_reached else Failure.FATAL
            raise ServiceError(msg, failure, response=response) from error
        kind = printable(response.headers.get("Content-Type", "no content type"))
        msg = (
            f"The service's answer to {path} is cut off, or is not JSON ({kind}, {len(body)} "
            f"bytes: {printable(str(error))})."
        )
        raise ServiceError(msg, Failure.TRANSIENT, response=response) from error
    if readable is not body:
        response._content = readable  # noqa: SLF001 - whoever reads the answer reads this
    return repairs


def _words(response: requests.Response, said: refusal.Refusal) -> str:
    """Tell why a request was refused, in the service's own words if there are any."""
    if said.telling:
        # The service may repeat what it was sent.
        secret = response.request.headers.get("Authorization", "").partition(" ")[2]
        return printable(without(said.telling, [secret]))
    # A server on-premises refuses a sign-in with a page of its own.
    if _is_web_page(response) and response.status_code != HTTPStatus.UNAUTHORIZED:
        return f"{WEB_PAGE}."
    return printable(response.reason or "no reason given")


def _is_web_page(response: requests.Response) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("text/html")
