"""Environments of Business Central online, and the check that `service_url` names one.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/api-get-environments
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from tap_dynamics365.errors import ServiceError, SettingsError
from tap_dynamics365.redaction import printable
from tap_dynamics365.services.business_central.address import (
    EXAMPLE,
    PLATFORM,
    STANDARD,
    names_no_environment,
    parse,
)
from tap_dynamics365.services.business_central.settings_checks import check_settings
from tap_dynamics365.services.directory import Directory, Environment
from tap_dynamics365.services.kind import read_object

if TYPE_CHECKING:
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.settings import Settings

PATH = "/environments/v1.2"
# The environments that a message names.
MOST_NAMED = 20


def check_address(client: ODataClient) -> None:
    """Raise if the URL names no environment, with the URLs of the environments.

    Args:
        client: The client of the service.

    Raises:
        SettingsError: The URL is incomplete.
        SignInError: The sign-in host gave no token.
    """
    if not names_no_environment(client.url):
        return
    client.sign_in()
    try:
        listed = [f"{each.url} ({each.type or 'environment'})" for each in read(client)]
    except ServiceError as error:
        msg = (
            "Setting service_url names no environment, and the service does not list the "
            f"environments. Write it as {EXAMPLE}; the Business Central admin center has the names "
            f"of the environments. {error.message}"
        )
        raise SettingsError(msg) from error
    if not listed:
        msg = (
            "Setting service_url names no environment, and there is none that the credentials may "
            f"use. Write it as {EXAMPLE}; the Business Central admin center has the names of the "
            "environments."
        )
        raise SettingsError(msg)
    more = len(listed) - MOST_NAMED
    msg = (
        "Setting service_url names no environment: set it to one of "
        f"{', '.join(listed[:MOST_NAMED])}{f', and {more} more' if more > 0 else ''}."
    )
    raise SettingsError(msg)


def url(settings: Settings) -> str:
    """Return the URL of the service, which itself lists its environments.

    Args:
        settings: The URL of the service or of an environment.

    Raises:
        SettingsError: The service is on-premises.
    """
    if not parse(settings.service_url).is_online:
        msg = (
            "Only Business Central online lists environments. On-premises, service_url has the "
            "name of the server instance, such as https://<host>:7048/<instance>/api/v2.0/."
        )
        raise SettingsError(msg)
    return settings.service_url


def read(client: ODataClient) -> list[Environment]:
    """Read the environments that the account may use.

    Args:
        client: The client of the service.

    Returns:
        The environments in the order of the service, with the URLs of their standard API.

    Raises:
        ServiceError: The service refused.
        SignInError: The sign-in host gave no token.
    """
    parts, tenant = urlsplit(client.url), parse(client.url).tenant
    answer: Any = read_object(client, urljoin(client.url, PATH)).get("value")
    found = []
    for each in answer if isinstance(answer, list) else []:
        name = each.get("name") if isinstance(each, dict) else None
        if isinstance(name, str) and name:
            own = each.get("aadTenantId") or tenant
            place = "/".join(quote(str(part)) for part in (PLATFORM, own, name) if part)
            found.append(
                Environment(
                    name=printable(name),
                    url=f"{parts.scheme}://{parts.netloc}/{place}/{STANDARD}",
                    type=printable(str(each.get("type") or "")) or None,
                    region=printable(str(each.get("countryCode") or "")) or None,
                )
            )
    return found


ENVIRONMENTS = Directory(
    name="Business Central",
    url=url,
    check_settings=check_settings,
    is_at=names_no_environment,
    has_own_resource=False,
    read=read,
)
