"""Errors: the exceptions that users see, and the classification of a service's refusals.

Each exception derives from `click.ClickException`, so that every command (sync, `--discover`,
`--test`) ends with exit code 1 and without a traceback.
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


#: The command with which a person signs in, as messages name it.
LOGIN = "dynamics365 login (in Meltano: meltano invoke tap-dynamics365:login --browser)"


class Failure(Enum):
    """Why a service did not fulfil a request.

    Each response is classified once, where it is read. Other code decides by the failure, never by
    the status or the error code.

    Attributes:
        THROTTLED: The service limits requests: all requests wait, then the request is retried.
        TRANSIENT: A retry may help.
        TOO_LARGE: A retry may help, or a request for fewer rows.
        UNAUTHORIZED: The access token is not accepted.
        DENIED: The caller lacks permission.
        GONE: The resource does not exist.
        UNKNOWN_COLUMN: A requested column does not exist.
        ADDRESS_TOO_LONG: The URL is longer than a server on the way accepts.
        TOKEN_EXPIRED: The delta token or the version stamp is too old.
        NOT_TRACKED: Change tracking is not enabled for the table.
        NOT_UNDERSTOOD: The service does not understand or support the query.
        NEEDS_PARENT: The rows can only be read through the rows of another table.
        LINK_LOST: A link to a next page is no longer valid.
        READ_ONLY: The read has to write, and the connection is read-only.
        FATAL: Any other failure that a retry does not fix.
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
    NEEDS_PARENT = auto()
    LINK_LOST = auto()
    READ_ONLY = auto()
    FATAL = auto()


#: A retry of the same request may help.
RETRYABLE = frozenset({Failure.THROTTLED, Failure.TRANSIENT, Failure.TOO_LARGE})
#: A retry of the same request does not help, but another request may succeed.
REFUSED = frozenset(
    {
        Failure.ADDRESS_TOO_LONG,
        Failure.DENIED,
        Failure.GONE,
        Failure.UNKNOWN_COLUMN,
        Failure.NOT_TRACKED,
        Failure.NOT_UNDERSTOOD,
        Failure.NEEDS_PARENT,
        Failure.LINK_LOST,
        Failure.READ_ONLY,
    }
)

WEB_PAGE = (
    "a web page (text/html) instead of data: a captive portal, a proxy or a sign-in page is in "
    "between"
)

logger = logging.getLogger("tap-dynamics365")


class Dynamics365Error(click.ClickException):
    """An error that the user can fix.

    Args:
        message: What happened and what to do, in one or two sentences, without secrets.
    """

    @override
    def show(self, file: IO[Any] | None = None) -> None:
        """Log the message, so that it appears among the other errors of a pipeline."""
        logger.error(self.message)


class SettingsError(Dynamics365Error):
    """A setting is missing, wrong, or contradicts another setting."""


class InputError(Dynamics365Error):
    """A file of settings, catalog or state can't be read, or has the wrong content."""


class QueryError(Dynamics365Error):
    """A query of a person does not stay below the service root, or does not read rows."""


class OutputError(Dynamics365Error):
    """Messages can no longer be written to standard output."""


class TransportError(Dynamics365Error):
    """A host can't be reached, and a retry does not help."""


class TokenStoreError(Dynamics365Error):
    """The token store can't be read, written or locked."""


class ForeignStoreError(TokenStoreError):
    """The path of the token store, or of its lock, belongs to another program's file."""


class SignInError(Dynamics365Error):
    """The sign-in host gave no token.

    Args:
        message: One or two sentences, with the host's message.
        error: The error code of OAuth 2.0, such as `invalid_grant`; empty if there is none.
    """

    def __init__(self, message: str, *, error: str = "") -> None:
        super().__init__(message)
        self.error = error


class TransientSignInError(SignInError):
    """The sign-in host asks for a retry, or was not reached.

    Args:
        message: One or two sentences, with the host's message.
        response: The response, if there was one. Its `Retry-After` says when to retry.
        error: The error code of OAuth 2.0; empty if there is none.

    Attributes:
        failure: How the failure is classified.
    """

    def __init__(
        self, message: str, response: requests.Response | None = None, *, error: str = ""
    ) -> None:
        super().__init__(message, error=error)
        self.response = response
        is_throttled = response is not None and response.status_code == HTTPStatus.TOO_MANY_REQUESTS
        self.failure = Failure.THROTTLED if is_throttled else Failure.TRANSIENT


class MetadataError(Dynamics365Error):
    """The metadata of the service can't be parsed."""


class IncompleteMetadataError(MetadataError):
    """The metadata of the service is cut off."""


class NoMatchError(MetadataError):
    """No table has one of the names that are asked for."""


class CatalogError(Dynamics365Error):
    """The catalog selects something that the tap can't do."""


class ServiceError(Dynamics365Error):
    """The service refused a request, or its response can't be understood.

    Args:
        message: One or two sentences, with the service's message.
        failure: How the failure is classified.
        response: The response, if there was one. Its `Retry-After` says when to retry.
        column: The name of a column that does not exist; empty if the failure is another one.
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
    """A table has used the calls that `stmt_call_limit` allows."""


class UnsortedError(ServiceError):
    """The service can't sort the rows of a table as asked for.

    Args:
        message: How this was noticed, in one sentence.
        is_seen: Whether rows arrived in another order than requested. Otherwise the service did
            not understand the request.
    """

    def __init__(self, message: str, *, is_seen: bool) -> None:
        super().__init__(message)
        self.is_seen = is_seen


#: These end the run at once, because all other tables would fail for the same reason.
ENDS_RUN = (
    SettingsError,
    InputError,
    OutputError,
    TransportError,
    TokenStoreError,
    SignInError,
)


def failure_of_table(error: Exception) -> ServiceError:
    """Convert an exception to the failure of one table, so that the other tables go on.

    Args:
        error: The exception.

    Returns:
        The failure. Its cause is the exception.

    Raises:
        Dynamics365Error: The exception ends the run.
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
            "with the traceback from the log at level DEBUG."
        )
    failure = ServiceError(message)
    failure.__cause__ = error
    return failure


def is_query_refused(error: ServiceError, *, is_virtual: bool) -> bool:
    """Tell whether a service may accept a simpler query.

    Args:
        error: The refusal of the query.
        is_virtual: Whether the table is virtual: its data provider reports such refusals in many
            ways.
    """
    if error.failure is Failure.NOT_UNDERSTOOD:
        return True
    return is_virtual and error.failure is Failure.FATAL and error.response is not None


def log_failure(what: str, error: ServiceError) -> None:
    """Log that a table failed: the reason at level ERROR, the traceback at level DEBUG.

    Args:
        what: What failed, as the beginning of a sentence.
        error: The failure.
    """
    logger.error("%s failed. %s", what, error.message)
    logger.debug("Traceback of the failure:", exc_info=error)
