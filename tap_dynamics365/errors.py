"""What can go wrong, told in one sentence.

Each error derives from click's own: the command line then ends with exit code 1 and without a
traceback, whichever of the SDK's commands (sync, `--discover`, `--test`) was at work.
"""

from __future__ import annotations

import logging
from enum import Enum, auto
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any

import click
from typing_extensions import override

from tap_dynamics365.redaction import printable

if TYPE_CHECKING:
    import requests


class Failure(Enum):
    """What it means that a service did not fulfil a request.

    Each answer is classified once, where it is read. Whoever asked decides by the failure, never
    by the status or the error code.

    Attributes:
        THROTTLED: A limit of requests is reached: all requests wait, and the request is repeated.
        TRANSIENT: Repeating the request may help.
        TOO_LARGE: The same; asking for fewer rows may help too.
        UNAUTHORIZED: The access token is not accepted.
        DENIED: The caller may not read this.
        GONE: What was asked for does not exist.
        UNKNOWN_COLUMN: A column that was asked for does not exist.
        ADDRESS_TOO_LONG: The address has more characters than a server on the way accepts.
        TOKEN_EXPIRED: The delta token, or version stamp, is too old.
        NOT_TRACKED: Changes of the table are not tracked.
        NOT_UNDERSTOOD: The service does not understand or support the query.
        FATAL: Anything else that repeating does not help.
    """

    THROTTLED = auto()
    TRANSIENT = auto()
    TOO_LARGE = auto()
    UNAUTHORIZED = auto()
    DENIED = auto()
    GONE = auto()
    UNKNOWN_COLUMN = auto()
    ADDRESS_TOO_LONG = auto()
    TOKEN_EXPIRED = auto()
    NOT_TRACKED = auto()
    NOT_UNDERSTOOD = auto()
    FATAL = auto()


#: The request may succeed when it is repeated.
RETRYABLE = frozenset({Failure.THROTTLED, Failure.TRANSIENT, Failure.TOO_LARGE})
#: Repeating the request does not help, but another request may be fulfilled.
REFUSED = frozenset(
    {
        Failure.ADDRESS_TOO_LONG,
        Failure.DENIED,
        Failure.GONE,
        Failure.UNKNOWN_COLUMN,
        Failure.NOT_TRACKED,
        Failure.NOT_UNDERSTOOD,
    }
)

WEB_PAGE = (
    "a web page (text/html) instead of data: a captive portal, a proxy or a sign-in page is in "
    "between"
)

logger = logging.getLogger("tap-dynamics365")


class Dynamics365Error(click.ClickException):
    """A failure that a person can do something about.

    Args:
        message: One sentence: what happened, and the way out. Never a secret.
    """

    @override
    def show(self, file: IO[Any] | None = None) -> None:
        """Log the message, so that it stands where a pipeline's other errors stand."""
        logger.error(self.message)


class SettingsError(Dynamics365Error):
    """A setting is missing, wrong, or at odds with another."""


class InputError(Dynamics365Error):
    """A file of settings, catalog or state can't be read, or holds something else."""


class OutputError(Dynamics365Error):
    """Messages can't be written to standard output any more."""


class TransportError(Dynamics365Error):
    """Requests can't get through to a host, and trying again would not help."""


class TokenStoreError(Dynamics365Error):
    """The file of refresh tokens can't be read, written or locked."""


class ForeignStoreError(TokenStoreError):
    """Another program's file stands where the token store, or its lock, is to be."""


class SignInError(Dynamics365Error):
    """The sign-in host gave no token.

    Args:
        message: One sentence with the host's own words.
        error: Its error code in the terms of OAuth 2.0, such as `invalid_grant`, where it gave
            one.
    """

    def __init__(self, message: str, *, error: str = "") -> None:
        super().__init__(message)
        self.error = error


class TransientSignInError(SignInError):
    """The sign-in host asks to try again later, or was not reached.

    Args:
        message: One sentence with the host's own words.
        response: The answer, if there was one; its `Retry-After` says when.
        error: As of any refusal.
    """

    def __init__(
        self, message: str, response: requests.Response | None = None, *, error: str = ""
    ) -> None:
        super().__init__(message, error=error)
        self.response = response
        is_throttled = response is not None and response.status_code == HTTPStatus.TOO_MANY_REQUESTS
        #: What it means for whoever asked.
        self.failure = Failure.THROTTLED if is_throttled else Failure.TRANSIENT


class MetadataError(Dynamics365Error):
    """The service's description of itself can't be understood."""


class IncompleteMetadataError(MetadataError):
    """The service's description of itself ends before its end."""


class CatalogError(Dynamics365Error):
    """The catalog asks for what the tap can't do."""


class ServiceError(Dynamics365Error):
    """The service refused a request, or its answer makes no sense.

    Args:
        message: One sentence with the service's own words.
        failure: What it means for whoever asked.
        response: The answer, if there was one; its `Retry-After` says when to repeat the request.
        column: The name of a column that does not exist.
    """

    def __init__(
        self,
        message: str,
        failure: Failure = Failure.FATAL,
        *,
        response: requests.Response | None = None,
        column: str = "",
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.response = response
        self.column = column


class CallLimitError(ServiceError):
    """The calls of the service that one table may take are used up."""


class UnsortedError(ServiceError):
    """Rows of a table can't be had in the order of its replication key.

    Args:
        message: One sentence: what shows it.
        is_seen: Whether rows came in another order than was asked for; else the service does not
            understand what it is asked for.
    """

    def __init__(self, message: str, *, is_seen: bool) -> None:
        super().__init__(message)
        self.is_seen = is_seen


#: What ends a run at once, whichever table it meets: the others would fail of it too.
ENDS_RUN = (
    SettingsError,
    InputError,
    OutputError,
    TransportError,
    TokenStoreError,
    SignInError,
)


def failure_of_table(error: Exception) -> ServiceError:
    """Take whatever went wrong with a table for the failure of this table alone.

    Args:
        error: What was raised.

    Returns:
        The failure, told in one sentence; the exception is its cause.

    Raises:
        Dynamics365Error: It ends the run.
    """
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, ENDS_RUN):
        raise error
    if isinstance(error, Dynamics365Error):
        message = error.message
    else:
        message = (
            f"Unexpected {type(error).__name__}: {printable(str(error)).rstrip('.')}. Report it "
            "with the traceback, which is in the log at level DEBUG."
        )
    failure = ServiceError(message)
    failure.__cause__ = error
    return failure


def is_query_refused(error: ServiceError, *, is_virtual: bool) -> bool:
    """Tell whether a service does not understand a query, and may understand one that asks less.

    Args:
        error: How it answered.
        is_virtual: Whether the rows come from the data provider of a virtual table, which says so
            in words of its own.
    """
    if error.failure is Failure.NOT_UNDERSTOOD:
        return True
    return is_virtual and error.failure is Failure.FATAL and error.response is not None


def log_failure(what: str, error: ServiceError) -> None:
    """Log that a table failed: why at ERROR, where at DEBUG.

    Args:
        what: What failed, as a sentence begins with it.
        error: The failure.
    """
    logger.error("%s failed. %s", what, error.message)
    logger.debug("Where it failed:", exc_info=error)
