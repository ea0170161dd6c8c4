"""Connection: opens a service with the sign-in that is configured."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_dynamics365.auth import authenticator
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.http.throttle import Throttle
from tap_dynamics365.http.traffic import Traffic
from tap_dynamics365.odata.client import ODataClient
from tap_dynamics365.services.kind import Service
from tap_dynamics365.services.registry import kind_of

if TYPE_CHECKING:
    from tap_dynamics365.services.kind import ServiceKind
    from tap_dynamics365.settings import Settings

logger = logging.getLogger("tap-dynamics365.service")


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
    if settings.is_completed:
        logger.info("Setting service_url is completed to %s.", settings.service_url)
    kind = kind_of(settings.service_url)
    kind.check_url(settings.service_url)
    _check_options(kind, settings)
    kind.check_settings(settings)
    token_uri = settings.token_uri or kind.token_uri(settings.service_url)
    settings = replace(settings, token_uri=token_uri)
    throttle, traffic = Throttle(settings.ws_retry_wait_limit), Traffic()
    signer = authenticator(settings, throttle, traffic)
    options = kind.query_options(settings)
    client = ODataClient(settings, kind.dialect, signer, throttle, traffic, options=options)
    _report_fewer_requests(kind, settings)
    return Service(kind, client)


def open_service(settings: Settings) -> Service:
    """Open a service, and ask it what is missing in its URL if the URL is incomplete.

    Args:
        settings: Address, sign-in and limits.

    Returns:
        The service.

    Raises:
        SettingsError: As `connect`, or `service_url` is incomplete.
        SignInError: The sign-in host gave no token.
    """
    service = connect(settings)
    service.kind.check_address(service.client)
    return service


def _check_options(kind: ServiceKind, settings: Settings) -> None:
    """Check that the query of `service_url` has no options but those of the service."""
    if {name.lower() for name in settings.url_options} - kind.url_options:
        known = " but " + " and ".join(sorted(kind.url_options)) if kind.url_options else ""
        msg = f"Setting service_url must be a URL without options in its query{known}."
        raise SettingsError(msg)


def _report_fewer_requests(kind: ServiceKind, settings: Settings) -> None:
    """Log that the service takes fewer requests at a time than the settings want."""
    wanted, most = settings.max_parallel_requests, kind.dialect.most_requests
    if wanted is not None and wanted > most:
        logger.warning(
            "%s works on %d requests of a user at a time. The tap sends no more than that, instead "
            "of %d (max_parallel_requests).",
            kind.name,
            most,
            wanted,
        )
