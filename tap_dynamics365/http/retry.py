"""When a request is repeated, and how long it waits before."""

from __future__ import annotations

import logging
import math
import random
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, ParamSpec, TypeVar

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
    from collections.abc import Callable

    from tap_dynamics365.auth import Authenticator
    from tap_dynamics365.http.concurrency import Parallelism

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("tap-dynamics365.service")

# The connection, or what came over it, broke off.
BROKEN_OFF = (
    IncompleteMetadataError,
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

# Several where the header came several times: they are joined by commas.
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?(?:\s*,\s*[0-9]{1,9}(?:\.[0-9]{1,9})?)*")

# More doublings than any wait needs, and fewer than a float bears.
MOST_DOUBLINGS = 30


class Retrying:
    """Repeats requests while the failure is a passing one.

    Args:
        count: How many times a request that failed is repeated.
        throttle: Holds all requests back.
        authenticator: Renews a token that was refused.
        parallelism: Limits the requests in flight, and learns of refusals.
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
        # Not a part of the throttle: these waits are bounded by the count of retries alone.
        self._sign_in_back_off = Throttle(math.inf)

    def __call__(self, send: Callable[P, T]) -> Callable[P, T]:
        """Wrap a request so that it is repeated where that helps.

        Args:
            send: Makes the request, checks the answer and takes it in.

        Returns:
            The same, raising `ServiceError` or `SignInError` at last. A request that was throttled
            is repeated until its waits are longer than the patience allows, one that failed in
            another transient way as many times as the setting says. A 429 holds back all requests,
            and so does a sign-in that has to be tried again.
        """

        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            refusals = failures = 0
            waited = 0.0
            while True:
                self._sign_in_back_off.wait()
                waited = self._throttle.wait(waited)
                failure: Exception
                try:
                    with self._parallelism.request():
                        return self._signed(send, *args, **kwargs)
                except (ServiceError, TransientSignInError) as error:
                    if error.failure not in RETRYABLE:
                        raise
                    failure = error
                except BROKEN_OFF as error:
                    failure = error
                except requests.RequestException as error:
                    raise ServiceError(_unreachable(error, 0)) from error
                if _is_throttled(failure):
                    refusals += 1
                    self._hold_back(failure, refusals, waited)
                elif failures == self._count:
                    raise _last(failure, failures) from failure
                else:
                    failures += 1
                    waited += self._pause(failure, failures, waited)

        return call

    def _signed(self, send: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a request, and again with a new token if the service refused the old one."""
        # A token that is fetched on the way would seem newer than the refusal of it.
        self._authenticator.sign_in()
        sent_at = time.monotonic()
        try:
            return send(*args, **kwargs)
        except ServiceError as error:
            refused = error.failure is Failure.UNAUTHORIZED
            if not (refused and self._authenticator.renew(sent_at)):
                raise
        return send(*args, **kwargs)

    def _hold_back(self, failure: Exception, times: int, waited: float) -> None:
        """Hold all requests back for a 429, or raise if this one would wait for too long."""
        own, asked = _back_off(times), _asked(failure, times)
        wait = own if asked is None else asked
        # A wait that is too long for any request fails those that are told so, not all others.
        patience = self._throttle.patience
        is_news = self._throttle.hold_back(wait if wait <= patience else min(own, patience))
        if is_news:
            self._parallelism.refused()
        reason = _reason(failure)
        self._throttle.allow(waited, wait, reason)
        level = logging.WARNING if is_news else logging.DEBUG
        logger.log(level, "%s Trying again in %.0f s.", reason, wait)

    def _pause(self, failure: Exception, times: int, waited: float) -> float:
        """Wait before a request is repeated; where a sign-in failed, all wait together.

        Returns:
            How many seconds of it the service asked for.
        """
        own, asked = _back_off(times), _asked(failure, times)
        granted = 0.0 if asked is None else min(asked, max(0.0, self._throttle.patience - waited))
        wait = granted if granted == asked else max(own, granted)
        is_sign_in = isinstance(failure, TransientSignInError)
        is_news = not is_sign_in or self._sign_in_back_off.hold_back(wait)
        logger.log(
            logging.WARNING if is_news else logging.DEBUG,
            "%s Trying again in %.0f s (repetition %d of %d).",
            _reason(failure),
            wait,
            times,
            self._count,
        )
        if not is_sign_in:
            time.sleep(wait)
        return granted


def _is_throttled(failure: Exception) -> bool:
    if isinstance(failure, (ServiceError, TransientSignInError)):
        return failure.failure is Failure.THROTTLED
    return False


def _back_off(times: int) -> float:
    """Tell how many seconds to wait after so many failures where the service does not say."""
    spread = 1 + JITTER * random.random()  # noqa: S311 - not to keep a secret
    return min(FIRST_WAIT * 2.0 ** min(times - 1, MOST_DOUBLINGS), LONGEST_WAIT) * spread


def _asked(failure: Exception, times: int) -> float | None:
    """Tell how many seconds the service asks to wait; a bit more where it asks again and again."""
    response = None
    if isinstance(failure, (ServiceError, TransientSignInError)):
        response = failure.response
    asked = None if response is None else retry_after(response)
    if asked is None:
        return None
    least = LEAST_FIRST_WAIT * 2.0 ** min(times - 1, MOST_DOUBLINGS)
    return max(asked, min(least, LONGEST_WAIT))


def retry_after(response: requests.Response) -> float | None:
    """Read the header `Retry-After`, seconds or a date (RFC 9110, section 10.2.3).

    A date is compared with the answer's own `Date`, for the clock here may be another.

    Args:
        response: The answer.

    Returns:
        The seconds it asks for, the most where the header came more than once; None if it is
        missing or unreadable.
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


def _last(failure: Exception, failures: int) -> Exception:
    """Make the error that ends a request which failed until the end."""
    if isinstance(failure, requests.RequestException):
        return ServiceError(_unreachable(failure, failures), Failure.TRANSIENT)
    return failure


def _unreachable(error: requests.RequestException, failures: int) -> str:
    tries = f" after {failures + 1} tries" if failures else ""
    return f"The service could not be reached{tries}: {failure_reason(error)}"


def _reason(failure: Exception) -> str:
    """Tell a failure in a few words."""
    if isinstance(failure, requests.RequestException):
        return failure_reason(failure)
    return str(failure)
