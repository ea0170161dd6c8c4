"""When a request is repeated, and how long it waits before."""

from __future__ import annotations

import logging
import random
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import requests
from singer_sdk.exceptions import RetriableAPIError

from tap_dynamics365.errors import (
    IncompleteMetadataError,
    ServiceError,
    TransientSignInError,
)
from tap_dynamics365.http import transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_dynamics365.auth import Authenticator
    from tap_dynamics365.http.parallelism import Parallelism
    from tap_dynamics365.http.throttling import Throttle

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("tap-dynamics365.service")

# The connection, or what came over it, broke off. What passes of the rest is told by the answer.
PASSING = (
    IncompleteMetadataError,
    RetriableAPIError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ConnectionError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.Timeout,
)

# Seconds before the first repetition, twice as many before each next one.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
# The same where the service says how long: should it say 0 again and again, it is not flooded.
LEAST_FIRST_WAIT = 1 / 16
# Requests that failed together are not to come again together.
JITTER = 0.5

# More doublings than any wait needs, and fewer than a float bears.
MOST_DOUBLINGS = 30


class Retrying:
    """Repeats requests while the failure is a passing one.

    Args:
        count: How many times a request that failed is repeated.
        throttle: Holds all requests back.
        authenticator: Renews a token that was refused.
        parallelism: Learns of refusals.
    """

    def __init__(
        self,
        count: int,
        throttle: Throttle,
        authenticator: Authenticator,
        parallelism: Parallelism,
    ) -> None:
        self._count = count
        self._throttle = throttle
        self._authenticator = authenticator
        self._parallelism = parallelism

    def __call__(self, send: Callable[P, T]) -> Callable[P, T]:
        """Wrap a request so that it is repeated where that helps.

        Args:
            send: Makes the request, checks the answer and takes it in.

        Returns:
            The same, raising `ServiceError` or `SignInError` at last: a request that was throttled
            is repeated until its waits are longer than the patience allows, one that failed in
            another passing way so many times as the setting says. A 429 holds back all requests,
            and so does a sign-in that has to be tried again.
        """

        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            refusals = failures = 0
            waited = 0.0
            while True:
                waited = self._throttle.wait(waited)
                try:
                    return self._signed(send, *args, **kwargs)
                except PASSING as error:
                    failure = error
                except requests.RequestException as error:
                    raise ServiceError(_unreachable(error, 0)) from error
                if _is_throttled(failure):
                    refusals += 1
                    wait = _wait(failure, refusals)
                    told = ""
                elif failures == self._count:
                    raise _last(failure, failures) from failure
                else:
                    failures += 1
                    wait = _wait(failure, failures)
                    told = f" (repetition {failures} of {self._count})"
                waited = self._pause(failure, waited, wait, told)

        return call

    def _signed(self, send: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a request, and again with a new token if the service refused the old one."""
        # A token that is fetched on the way would seem newer than the refusal of it.
        self._authenticator.sign_in()
        sent_at = time.monotonic()
        try:
            return send(*args, **kwargs)
        except ServiceError as error:
            refused = error.status == HTTPStatus.UNAUTHORIZED
            if not (refused and self._authenticator.renew(sent_at)):
                raise
        return send(*args, **kwargs)

    def _pause(self, failure: Exception, waited: float, wait: float, told: str) -> float:
        """Say that a request waits, and wait; or let all of them wait if it speaks for all.

        Returns:
            Seconds that it waited in sum. Where all wait, they are counted when it is its turn.
        """
        for_all = _is_throttled(failure) or isinstance(failure, TransientSignInError)
        is_news = not for_all or self._throttle.hold_back(wait)
        if is_news and _is_throttled(failure):
            self._parallelism.refused()
        reason = _reason(failure)
        in_sum = self._throttle.allow(waited, wait, reason)
        level = logging.WARNING if is_news else logging.DEBUG
        logger.log(level, "%s Trying again in %.0f s%s.", reason, wait, told)
        if for_all:
            return waited
        time.sleep(wait)
        return in_sum


def _is_throttled(failure: Exception) -> bool:
    return (
        isinstance(failure, RetriableAPIError)
        and failure.response is not None
        and failure.response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    )


def _wait(failure: Exception, times: int) -> float:
    """Tell how many seconds to wait after so many failures."""
    asked = None
    if isinstance(failure, RetriableAPIError) and failure.response is not None:
        asked = retry_after(failure.response)
    doubled = 2.0 ** min(times - 1, MOST_DOUBLINGS)
    if asked is not None:
        return max(asked, min(LEAST_FIRST_WAIT * doubled, LONGEST_WAIT))
    spread = 1 + JITTER * random.random()  # noqa: S311 - not to keep a secret
    return min(FIRST_WAIT * doubled, LONGEST_WAIT) * spread


def retry_after(response: requests.Response) -> float | None:
    """Read the header `Retry-After`, seconds or a date (RFC 9110, section 10.2.3).

    A date is compared with the answer's own `Date`, for the clock here may be another.

    Args:
        response: The answer.

    Returns:
        The seconds it asks for, or None if it is missing or unreadable.
    """
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", text):
        return float(text)
    when = _moment(text)
    if when is None:
        return None
    now = _moment(response.headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (when - now).total_seconds())


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _last(failure: Exception, failures: int) -> Exception:
    """Make the error that ends a request which failed until the end."""
    if isinstance(failure, requests.RequestException):
        return ServiceError(_unreachable(failure, failures))
    return failure


def _unreachable(error: requests.RequestException, failures: int) -> str:
    tries = f" after {failures + 1} tries" if failures else ""
    return f"The service could not be reached{tries}: {transport.reason(error)}"


def _reason(failure: Exception) -> str:
    """Tell a failure in a few words."""
    if isinstance(failure, requests.RequestException):
        return transport.reason(failure)
    return str(failure)
