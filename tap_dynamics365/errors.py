"""What can go wrong, told in one sentence.

Each error derives from click's own: the command line then ends with exit code 1 and without a
traceback, whichever of the SDK's commands (sync, `--discover`, `--test`) was at work.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any

import click
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override

if TYPE_CHECKING:
    import requests

# https://learn.microsoft.com/power-apps/developer/data-platform/api-limits, and RFC 9110,
# section 15.5.9, of the first.
TRANSIENT_STATUSES = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}

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


class TransientSignInError(SignInError, RetriableAPIError):
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


class MetadataError(Dynamics365Error):
    """The service's description of itself can't be understood."""


class IncompleteMetadataError(MetadataError):
    """The service's description of itself ends before its end."""


class CatalogError(Dynamics365Error):
    """The catalog asks for what the tap can't do."""


class ServiceError(Dynamics365Error, FatalAPIError):
    """The service refused a request, or its answer makes no sense.

    Args:
        message: One sentence with the service's own words.
        status: The HTTP status, where there was an answer.
        code: The service's own error code, such as `0x80060888`, where it gave one.
    """

    def __init__(self, message: str, *, status: int | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class CallLimitError(ServiceError):
    """The calls of the service that one table may take are used up."""


class TransientServiceError(ServiceError, RetriableAPIError):
    """The service asks to try again later.

    Args:
        message: One sentence with the service's own words.
        response: The answer; its `Retry-After` says when.
        code: The service's own error code, where it gave one.
    """

    def __init__(self, message: str, response: requests.Response, *, code: str = "") -> None:
        super().__init__(message, status=response.status_code, code=code)
        self.response = response
