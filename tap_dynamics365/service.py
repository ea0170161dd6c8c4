"""The connection to the service: a session, and what makes a request succeed."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from urllib.parse import urljoin, urlsplit

import backoff
import requests
from singer_sdk.exceptions import RetriableAPIError

from tap_dynamics365 import transport
from tap_dynamics365.auth import authenticator
from tap_dynamics365.errors import (
    TRANSIENT_STATUSES,
    WEB_PAGE,
    ServiceError,
    TransientServiceError,
    TransientSignInError,
)
from tap_dynamics365.parallelism import Parallelism
from tap_dynamics365.words import printable, without

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from backoff.types import Details

    from tap_dynamics365.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("tap-dynamics365.service")

HEADERS = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
}
MAX_TRIES = 8

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

# Pages have megabytes; in the 10 kB pieces that requests takes them in by default, reading one
# costs several times the processor time. There is no setting for it but this constant.
requests.models.CONTENT_CHUNK_SIZE = 64 * 1024 * 1024


class Service:
    """One Dynamics 365 service and the session that speaks to it.

    Args:
        settings: Address, sign-in and time-out.

    Attributes:
        url: The address of the Web API, with a slash at its end.
        session: Shared by all requests.
        timeout: Seconds to wait for an answer, or None to wait for ever.
        parallelism: How many requests may be in flight now.
    """

    def __init__(self, settings: Settings) -> None:
        self.url = settings.service_url
        self.authenticator = authenticator(settings)
        self.timeout = settings.ws_timeout or None
        self.parallelism = Parallelism(settings.max_parallel_requests)
        self._resume_at = 0.0
        self.session = transport.session(settings)
        self.session.headers.update(HEADERS)

    @property
    def is_dataverse(self) -> bool:
        """Whether the address is one of Dataverse's Web API."""
        return "/api/data/v" in self.url

    def sign_in(self) -> None:
        """Sign in ahead of the first request, trying again where that helps.

        Raises:
            SignInError: The sign-in host gave no token.
        """
        self.retrying(self.authenticator.sign_in)()

    def get(self, path: str, *, accept: str = "application/json") -> requests.Response:
        """Fetch one answer, trying again where that helps.

        Args:
            path: What follows the service's address, with its query.
            accept: The media type wanted.

        Returns:
            The answer, its body not yet read. Its status is one of success.

        Raises:
            ServiceError: The service refused, or did not answer after all tries.
        """

        def send() -> requests.Response:
            response = self.session.get(
                self.url + path,
                headers={"Accept": accept},
                auth=self.authenticator,
                timeout=self.timeout,
                stream=True,
            )
            self.check(response)
            return response

        return self.retrying(send)()

    def resolve(self, link: str) -> str:
        """Make a link of the service absolute.

        Args:
            link: An absolute URL, or one relative to the service's address.

        Returns:
            The URL as it is to be requested.

        Raises:
            ServiceError: It leads to another host, which must not see the access token.
        """
        url = urljoin(self.url, link)
        here, there = urlsplit(self.url), urlsplit(url)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            msg = (
                f"The service linked its next page to {there.scheme}://{there.netloc}, but "
                f"service_url is on {here.scheme}://{here.netloc}: it is not followed, for the "
                "access token would go there."
            )
            raise ServiceError(msg)
        return url

    def check(self, response: requests.Response) -> None:
        """Raise if the service did not fulfil a request.

        Args:
            response: What it answered.

        Raises:
            TransientServiceError: It may do so later.
            ServiceError: It will not.
        """
        if response.status_code < HTTPStatus.BAD_REQUEST and not _is_web_page(response):
            return
        code, words = _error(response)
        path = urlsplit(response.url).path
        message = f"The service answered {response.status_code} to {path}: {words}"
        if code:
            message += f" ({code})"
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            advice = self.authenticator.advice(self.url)
            message = f"{message.rstrip('.')}. It does not accept the sign-in. {advice}"
        elif code in ADVICE:
            message = f"{message.rstrip('.')}. {ADVICE[code]}"
        if response.status_code in TRANSIENT_STATUSES:
            raise TransientServiceError(message, response, code=code)
        raise ServiceError(message, status=response.status_code, code=code)

    def retrying(self, send: Callable[P, T]) -> Callable[P, T]:
        """Wrap a request so that it is tried again while the failure is a passing one.

        Args:
            send: Makes the request and checks the answer.

        Returns:
            The same with up to `MAX_TRIES` tries: 429, 502, 503, 504 and failures of the
            connection are waited out, as long as `Retry-After` says or else 1, 2, 4, … seconds.
            A 429 holds back all requests, for it is the user who has reached a limit, and so does
            a sign-in that has to be tried again. A 401 has the token renewed, if it can be, and
            the request repeated once.
        """

        def in_turn(*args: P.args, **kwargs: P.kwargs) -> T:
            while (wait := self._resume_at - time.monotonic()) > 0:
                time.sleep(wait)
            sent_at = time.monotonic()
            try:
                return send(*args, **kwargs)
            except ServiceError as error:
                refused = error.status == HTTPStatus.UNAUTHORIZED
                if not (refused and self.authenticator.renew(sent_at)):
                    raise
            return send(*args, **kwargs)

        patient = backoff.on_exception(
            _pauses,
            (
                RetriableAPIError,
                requests.exceptions.ChunkedEncodingError,
                requests.exceptions.ConnectionError,
                requests.exceptions.ContentDecodingError,
                requests.exceptions.Timeout,
            ),
            max_tries=MAX_TRIES,
            jitter=backoff.random_jitter,
            on_backoff=self._pause,
            logger=None,
        )(in_turn)

        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return patient(*args, **kwargs)
            except requests.exceptions.RequestException as error:
                msg = f"The service could not be reached after {MAX_TRIES} tries: {_reason(error)}"
                raise ServiceError(msg) from error

        return call

    def _pause(self, details: Details) -> None:
        """Say that a request waits, and let all others wait if it is for too many of them."""
        error, wait = details["exception"], details["wait"]
        if isinstance(error, TransientSignInError):
            self._resume_at = max(self._resume_at, time.monotonic() + wait)
        if isinstance(error, ServiceError) and error.status == HTTPStatus.TOO_MANY_REQUESTS:
            now = time.monotonic()
            if self._resume_at <= now:
                # Once for all that were refused together.
                self.parallelism.refused()
            self._resume_at = max(self._resume_at, now + wait)
        logger.warning(
            "%s Trying again in %.0f s (try %d of %d).",
            _reason(error),
            wait,
            details["tries"] + 1,
            MAX_TRIES,
        )


def _pauses() -> Generator[float, Exception, None]:
    """Yield the seconds to wait before each next try; the last failure is sent in."""
    error = yield 0.0
    for tries in count():
        wait = _retry_after(error)
        error = yield 2.0**tries if wait is None else wait


def _retry_after(error: Exception) -> float | None:
    """Read the header `Retry-After`, seconds or a date (RFC 9110, section 10.2.3).

    Returns:
        The seconds it asks for, or None if it is missing or unreadable.
    """
    if not isinstance(error, RetriableAPIError) or error.response is None:
        return None
    text = error.response.headers.get("Retry-After", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _error(response: requests.Response) -> tuple[str, str]:
    """Read code and message from the body of an error (OData JSON Format 4.0, section 19)."""
    try:
        error = json.loads(response.content)["error"]
        return str(error.get("code", "")), _words(response, str(error["message"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        # A server on-premises refuses a sign-in with a page of its own.
        if _is_web_page(response) and response.status_code != HTTPStatus.UNAUTHORIZED:
            return "", f"{WEB_PAGE}."
        return "", response.reason or "no reason given"


def _words(response: requests.Response, message: str) -> str:
    """Make the service's words fit for the log, should it repeat what it was sent."""
    secret = response.request.headers.get("Authorization", "").partition(" ")[2]
    return printable(without(message, [secret]))


def _is_web_page(response: requests.Response) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def _reason(error: Exception) -> str:
    """Tell a failure in a few words."""
    if isinstance(error, requests.RequestException) and not isinstance(error, RetriableAPIError):
        return transport.reason(error)
    return str(error)
