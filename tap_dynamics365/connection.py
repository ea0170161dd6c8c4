"""Connection: opens a service with the sign-in that is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.auth import authenticator
from tap_dynamics365.http.throttle import Throttle
from tap_dynamics365.http.traffic import Traffic
from tap_dynamics365.odata.client import ODataClient
from tap_dynamics365.services.kind import Service
from tap_dynamics365.services.registry import kind_of

if TYPE_CHECKING:
    from tap_dynamics365.settings import Settings


def connect(settings: Settings) -> Service:
    """Open a service. No request is sent yet.

    Args:
        settings: Address, sign-in and limits.

    Returns:
        The service.

    Raises:
        SettingsError: `service_url` does not lead to the API of the service, a setting asks for
            what the service does not have, the certificate can't be used, or an extra is not
            installed.
    """
    kind = kind_of(settings.service_url)
    kind.check_url(settings.service_url)
    kind.check_settings(settings)
    throttle, traffic = Throttle(settings.ws_retry_wait_limit), Traffic()
    signer = authenticator(settings, throttle, traffic)
    options = kind.query_options(settings)
    client = ODataClient(settings, kind.dialect, signer, throttle, traffic, options=options)
    return Service(kind, client)
