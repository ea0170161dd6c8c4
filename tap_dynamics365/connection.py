"""Connection: opens a service with the sign-in that is configured."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_dynamics365.auth import authenticator, authenticator_for
from tap_dynamics365.errors import ServiceError, SettingsError
from tap_dynamics365.http.throttle import Throttle
from tap_dynamics365.http.traffic import Traffic
from tap_dynamics365.odata.client import ODataClient
from tap_dynamics365.services.kind import Service
from tap_dynamics365.services.registry import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.services.directory import Directory, Environment
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
    settings = _with_token_uri(kind, settings)
    throttle, traffic = Throttle(settings.ws_retry_wait_limit), Traffic()
    signer = authenticator(settings, throttle, traffic)
    options = kind.query_options(settings)
    client = ODataClient(settings, kind.dialect, signer, throttle, traffic, options=options)
    _report_fewer_requests(kind, settings)
    return Service(kind, client)


def connect_directory(settings: Settings) -> tuple[Service, Directory]:
    """Open the service that lists the environments. No request is sent yet.

    Args:
        settings: Sign-in and limits, and the URL of an environment or of the list itself.

    Returns:
        The service at the root of the list, and the list.

    Raises:
        SettingsError: The service has no list, the list does not accept the way to sign in, the
            certificate can't be used, or an extra is not installed.
    """
    kind = kind_of(settings.service_url)
    directory = kind.directory
    if directory is None:
        msg = f"{kind.name} has no list of environments. {kind.no_directory}"
        raise SettingsError(msg)
    directory.check_settings(settings)
    url = directory.url(settings)
    settings = _with_token_uri(kind, settings)
    throttle, traffic = Throttle(settings.ws_retry_wait_limit), Traffic()
    if directory.has_own_resource:
        signer = authenticator_for(settings, url, kind.permission, throttle, traffic)
    else:
        signer = authenticator(settings, throttle, traffic)
    settings = replace(settings, service_url=url, url_options={})
    return Service(kind, ODataClient(settings, kind.dialect, signer, throttle, traffic)), directory


def list_environments(settings: Settings) -> Sequence[Environment]:
    """List the environments that the account may use.

    Args:
        settings: As for `connect_directory`.

    Returns:
        The environments; empty if there is none.

    Raises:
        ServiceError: The service refused.
        SettingsError: As `connect_directory`.
        SignInError: The sign-in host gave no token.
    """
    service, directory = connect_directory(settings)
    service.client.sign_in()
    return read_directory(service, directory)


def read_directory(service: Service, directory: Directory) -> Sequence[Environment]:
    """Read the environments from their list.

    Args:
        service: The service at the root of the list.
        directory: The list.

    Returns:
        The environments; empty if there is none.

    Raises:
        ServiceError: The service refused.
    """
    try:
        return directory.read(service.client)
    except ServiceError as error:
        host = urlsplit(service.client.url).netloc
        msg = f"{directory.name} at {host} did not list the environments. {error.message}"
        raise ServiceError(msg, error.failure, response=error.response) from error


def _with_token_uri(kind: ServiceKind, settings: Settings) -> Settings:
    """Add the token endpoint that the URL of the service implies."""
    return replace(settings, token_uri=settings.token_uri or kind.token_uri(settings.service_url))


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
