"""Error classification: the codes and messages of Business Central, and what each one means.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/dynamics-error-codes
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.odata import errors as odata_errors

if TYPE_CHECKING:
    from tap_dynamics365.errors import Failure
    from tap_dynamics365.http.refusal import Refusal

NO_METADATA = (
    "Check service_url: it is the address of an API with tenant and environment, such as "
    "https://api.businesscentral.dynamics.com/v2.0/<tenant>/Production/api/v2.0/."
)

unknown_column = odata_errors.unknown_column
is_transient = odata_errors.is_transient


def classify(said: Refusal, status: int) -> Failure | None:
    """Classify a refusal.

    Args:
        said: The code and the message.
        status: The status.

    Returns:
        The failure; None if they do not decide, so that the status has to.
    """
    return odata_errors.classify(said, status)


def advice(failure: Failure, code: str) -> str:
    """Say what the user can do about a refusal.

    Args:
        failure: How the refusal is classified.
        code: The error code.

    Returns:
        One or two sentences; empty if nothing is known.
    """
    return odata_errors.advice(failure, code)
