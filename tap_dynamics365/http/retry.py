"""Retry policy: exponential backoff with jitter, honouring Retry-After."""

from __future__ import annotations

import logging
import math
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

import backoff
import requests

from tap_dynamics365.errors import (
    RETRYABLE,
    Failure,
    IncompleteMetadataError,
    ServiceError,
    TransientSignInError,
)
from tap_dynamics365.http.session import failure_reason
from tap_dynamics365.http.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backoff.types import Details

    from tap_dynamics365.http.concurrency import ConcurrencyLimit
    from tap_dynamics365.http.signer import Signer

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("tap-dynamics365.service")

# The connection was lost, or the response was cut off.
CONNECTION_LOST = (
    IncompleteMetadataError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ConnectionError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.Timeout,
)

# Seconds before the first retry, doubled for each further retry up to the longest wait.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
# The longest wait as a multiple of a first wait that the service recommends.
MOST_TIMES = 8
# The shortest first wait where the service says how long to wait, doubled likewise: a service that
# says 0 again and again is not flooded.
LEAST_FIRST_WAIT = 1 / 16
# Up to this part of a wait is added at random, so that requests that failed together are not
# retried together.
JITTER = 0.5

# Several numbers, separated by commas, where the header was sent more than once.
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?(?:\s*,\s*[0-9]{1,9}(?:\.[0-9]{1,9})?)*")


class RetryPolicy:
    """Retries requests that failed for a transient reason.

    Throttled requests are retried until they waited for longer than the throttle allows. Requests
    that failed in another transient way are retried a fixed number of times. A 429 pauses all
    requests, and so does a failed sign-in.

    Args:
        count: How many times a failed request is retried.
        throttle: Pauses all requests.
        signer: Renews a token that was refused.
        concurrency: Limits the requests in flight, and is told of each 429.
        first_throttle_wait: Seconds before the first retry of a throttled request, where the
            service does not say.
    """

    def __init__(
        self,
        count: int,
        throttle: Throttle,
        signer: Signer,
        concurrency: ConcurrencyLimit,
        first_throttle_wait: float = FIRST_WAIT,
    ) -> None:
        self.count = count
        self.throttle = throttle
        self.signer = signer
        self.concurrency = concurrency
        self.first_throttle_wait = first_throttle_wait
        # Not a part of the throttle: these waits are bounded by the count of retries alone.
        self.sign_in_pause = Throttle(math.inf)

    def __call__(self, send: Callable[P, T]) -> Callable[P, T]:
        """Wrap a request so that it is retried.

        Args:
            send: Sends the request, checks the response and reads it.

        Returns:
            A function with the same arguments and result. It raises `ServiceError` or
            `SignInError` when the last retry failed, or when a retry does not help.
        """

        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return _Attempts(self, send).run(*args, **kwargs)

        return call


class _Attempts(Generic[P, T]):
    """One request and its retries.

    Args:
        policy: The retry policy.
        send: Sends the request.
    """

    def __init__(self, policy: RetryPolicy, send: Callable[P, T]) -> None:
        self._policy = policy
        self._send = send
        self._retries = self._throttles = 0
        self._retry_waits = _waits()
        self._throttle_waits = _waits(policy.first_throttle_wait)
        # Seconds that the service asked this request to wait.
        self._waited = 0.0

    def run(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Send the request, and retry it while that helps."""
        attempt = backoff.on_exception(
            backoff.runtime,
            (ServiceError, TransientSignInError, *CONNECTION_LOST),
            # backoff tries to call it without arguments first: it must need one.
            value=self._wait,
            giveup=self._is_final,
            on_giveup=self._give_up,
            jitter=None,
            logger=None,
        )(self._attempt)
        try:
            return attempt(*args, **kwargs)
        except requests.RequestException as error:
            raise ServiceError(_unreachable(error, 0)) from error

    def _attempt(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Send the request when nothing pauses it."""
        policy = self._policy
        policy.sign_in_pause.wait()
        self._waited = policy.throttle.wait(self._waited)
        with policy.concurrency.request():
            # A token that is fetched during the request would seem newer than the refusal of it.
            policy.signer.sign_in()
            sent_at = time.monotonic()
            try:
                return self._send(*args, **kwargs)
            except ServiceError as error:
                refused = error.failure is Failure.UNAUTHORIZED
                if not (refused and policy.signer.renew(sent_at)):
                    raise
            return self._send(*args, **kwargs)

    def _is_final(self, error: Exception) -> bool:
        """Tell whether another retry does not help, or is one too many."""
        failure = _failure(error)
        if failure is Failure.THROTTLED:
            return False
        return failure not in RETRYABLE or self._retries == self._policy.count

    def _give_up(self, details: Details) -> None:
        """Say how often a host was tried that could not be reached."""
        error = details["exception"]
        if isinstance(error, requests.RequestException):
            message = _unreachable(error, self._retries)
            raise ServiceError(message, Failure.TRANSIENT) from error

    def _wait(self, error: Exception) -> float:
        """Announce the next retry and return the seconds before it, pauses of all apart."""
        if _failure(error) is Failure.THROTTLED:
            self._throttles += 1
            self._pause_all(error)
            return 0.0
        self._retries += 1
        return self._pause(error)

    def _pause_all(self, error: Exception) -> None:
        """Pause all requests because of a 429, or raise if this request waits for too long."""
        throttle = self._policy.throttle
        own, asked = next(self._throttle_waits), _asked(error, self._throttles)
        wait = own if asked is None else asked
        # A wait that is too long for any request fails only the request that is told so.
        longest = throttle.max_total_wait
        is_news = throttle.pause_all(wait if wait <= longest else min(own, longest))
        if is_news:
            self._policy.concurrency.throttled()
        reason = _reason(error)
        throttle.allow(self._waited, wait, reason)
        level = logging.WARNING if is_news else logging.DEBUG
        logger.log(level, "%s Trying again in %.0f s.", reason, wait)

    def _pause(self, error: Exception) -> float:
        """Choose the wait before a retry; a failed sign-in pauses all requests instead."""
        own, asked = next(self._retry_waits), _asked(error, self._retries)
        left = max(0.0, self._policy.throttle.max_total_wait - self._waited)
        granted = 0.0 if asked is None else min(asked, left)
        wait = granted if granted == asked else max(own, granted)
        is_sign_in = isinstance(error, TransientSignInError)
        is_news = not is_sign_in or self._policy.sign_in_pause.pause_all(wait)
        logger.log(
            logging.WARNING if is_news else logging.DEBUG,
            "%s Trying again in %.0f s (retry %d of %d).",
            _reason(error),
            wait,
            self._retries,
            self._policy.count,
        )
        self._waited += granted
        return 0.0 if is_sign_in else wait


def _waits(first: float = FIRST_WAIT) -> Iterator[float]:
    """Yield the seconds to wait before each retry, where the service does not say."""
    waits = backoff.expo(factor=first, max_value=max(LONGEST_WAIT, MOST_TIMES * first))
    next(waits)
    for wait in waits:
        yield wait + backoff.full_jitter(JITTER * wait)


def _failure(error: Exception) -> Failure:
    if isinstance(error, (ServiceError, TransientSignInError)):
        return error.failure
    return Failure.TRANSIENT


def _asked(error: Exception, times: int) -> float | None:
    """Read how many seconds the service asks to wait; a little more each time it asks."""
    response = None
    if isinstance(error, (ServiceError, TransientSignInError)):
        response = error.response
    asked = None if response is None else retry_after(response)
    if asked is None:
        return None
    return max(asked, min(math.ldexp(LEAST_FIRST_WAIT, min(times, 32) - 1), LONGEST_WAIT))


def retry_after(response: requests.Response) -> float | None:
    """Read the header `Retry-After`, seconds or a date (RFC 9110, section 10.2.3).

    A date is compared with the `Date` of the same response, because the local clock may differ.

    Args:
        response: The response.

    Returns:
        The seconds to wait, the largest number where the header was sent more than once; None if
        the header is missing or unreadable.
    """
    text = response.headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return max(float(seconds) for seconds in text.split(","))
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


def _unreachable(error: requests.RequestException, retries: int) -> str:
    tries = f" after {retries + 1} tries" if retries else ""
    return f"The service could not be reached{tries}: {failure_reason(error)}"


def _reason(error: Exception) -> str:
    """Say in a few words why a request failed."""
    if isinstance(error, requests.RequestException):
        return failure_reason(error)
    return str(error)
