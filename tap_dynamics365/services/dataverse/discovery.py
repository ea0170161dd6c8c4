"""Global Discovery Service: the Dataverse environments that a person may use.

https://learn.microsoft.com/power-apps/developer/data-platform/discovery-service
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from tap_dynamics365.errors import Failure, ServiceError, SettingsError
from tap_dynamics365.redaction import printable
from tap_dynamics365.services.dataverse import address
from tap_dynamics365.services.directory import Directory, Environment
from tap_dynamics365.services.kind import read_object
from tap_dynamics365.settings import Grant
from tap_dynamics365.settings.choices import AzureCredential

if TYPE_CHECKING:
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.settings import Settings

ROOT = "/api/discovery/v2.0/"
NAME = "The Global Discovery Service"
COMMERCIAL = "globaldisco.crm.dynamics.com"
# The host in each cloud, by the end of the hosts of its environments. GCC has a region of the
# commercial cloud to itself.
HOSTS = {
    ".crm9.dynamics.com": "globaldisco.crm9.dynamics.com",
    ".dynamics.com": COMMERCIAL,
    ".microsoftdynamics.us": "globaldisco.crm.microsoftdynamics.us",
    ".appsplatform.us": "globaldisco.crm.appsplatform.us",
    ".dynamics.cn": "globaldisco.crm.dynamics.cn",
}
# The host by the sign-in host. GCC signs in where the commercial cloud does, and the cloud of the
# Department of Defense where GCC High does.
# https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
BY_SIGN_IN_HOST = {
    "login.microsoftonline.com": COMMERCIAL,
    "login.windows.net": COMMERCIAL,
    "login.microsoftonline.us": "globaldisco.crm.microsoftdynamics.us",
    "login.partner.microsoftonline.cn": "globaldisco.crm.dynamics.cn",
    "login.chinacloudapi.cn": "globaldisco.crm.dynamics.cn",
}
COLUMNS = ("FriendlyName", "Url", "ApiUrl", "OrganizationType", "Region", "State", "Version")
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/organizationtype
TYPES = {
    0: "Production",
    2: "Support",
    4: "Production",
    5: "Sandbox",
    6: "Sandbox",
    7: "Preview",
    9: "Trial",
    11: "Trial",
    12: "Default",
    13: "Developer",
    14: "Trial",
    15: "Teams",
}
STATES = {0: "enabled", 1: "disabled"}
# Credentials of an app or a machine, never of a person.
APPS = {AzureCredential.MANAGED_IDENTITY, AzureCredential.WORKLOAD_IDENTITY}
ADMIN_CENTER = "The Power Platform admin center shows the URLs of all environments."


def default_url(token_uri: str) -> str:
    """Return the root of the discovery service for settings without `service_url`.

    Args:
        token_uri: The token endpoint; empty if it is not set, as in the commercial cloud.
    """
    try:
        sign_in_host = urlsplit(token_uri).hostname or ""
    except ValueError:
        # The check of the settings names the flaw.
        sign_in_host = ""
    host = BY_SIGN_IN_HOST.get(sign_in_host, "") if sign_in_host else COMMERCIAL
    # Another sign-in host gives tokens for the discovery service at its own origin only.
    return f"https://{host}{ROOT}" if host else urljoin(token_uri, ROOT)


def url(settings: Settings) -> str:
    """Return the root of the discovery service.

    Args:
        settings: The URL of an environment, or of the discovery service.
    """
    host = urlsplit(settings.service_url).hostname or ""
    if address.HOST.search(host):
        return f"https://{next(HOSTS[end] for end in HOSTS if host.endswith(end))}{ROOT}"
    return urljoin(settings.service_url, ROOT)


def check_settings(settings: Settings) -> None:
    """Check that a person signs in, with OAuth 2.0.

    https://github.com/microsoft/powerplatform-actions/issues/269

    Args:
        settings: The settings.

    Raises:
        SettingsError: An app signs in as itself, or the way to sign in is one of on-premises.
    """
    if settings.grant in {Grant.NTLM, Grant.BASIC}:
        msg = (
            f"{NAME} lists environments in the cloud, where {settings.grant.value} is not "
            "accepted. On-premises, take service_url from the address of the app in your browser."
        )
        raise SettingsError(msg)
    if settings.grant in {Grant.CLIENT_CERTIFICATE, Grant.CLIENT_SECRET} or (
        settings.grant is Grant.AZURE and settings.azure_credential in APPS
    ):
        msg = (
            f"{NAME} lists the environments of a person, not of an app that signs in as itself: "
            f"sign in as a person with dynamics365 login. {ADMIN_CENTER}"
        )
        raise SettingsError(msg)


def read(client: ODataClient) -> list[Environment]:
    """Read the environments that the person who signs in may use.

    Args:
        client: The client of the discovery service.

    Returns:
        The environments, sorted by name.

    Raises:
        ServiceError: The service refused.
        SignInError: The sign-in host gave no token.
    """
    try:
        answer: Any = read_object(client, f"Instances?$select={','.join(COLUMNS)}").get("value")
    except ServiceError as error:
        if error.failure is not Failure.GONE:
            raise
        msg = (
            f"{error.message.rstrip('.')}. Only the cloud has this service: elsewhere, take "
            "service_url from the address of the app in your browser."
        )
        raise ServiceError(msg, error.failure, response=error.response) from error
    rows = answer if isinstance(answer, list) else []
    found = [made for row in rows if isinstance(row, dict) and (made := _environment(row))]
    return sorted(found, key=lambda each: each.name.casefold())


def _environment(row: dict[str, Any]) -> Environment | None:
    """Return the environment of a row; None if the row has no URL."""
    own, api = (str(row.get(name) or "").rstrip("/") for name in ("Url", "ApiUrl"))
    # The tap completes the URL of an environment in the cloud.
    is_completed = address.HOST.search(urlsplit(own).hostname or "")
    if not (own if is_completed else api):
        return None
    found = own if is_completed else f"{api}{address.STANDARD}"
    kind, state = row.get("OrganizationType"), row.get("State")
    return Environment(
        name=_text(row, "FriendlyName") or found,
        url=printable(found),
        type=TYPES.get(kind) if isinstance(kind, int) else None,
        region=_text(row, "Region"),
        state=STATES.get(state) if isinstance(state, int) else None,
        version=_text(row, "Version"),
    )


def _text(row: dict[str, Any], name: str) -> str | None:
    return printable(str(row.get(name) or "")) or None


DISCOVERY = Directory(
    name=NAME,
    url=url,
    check_settings=check_settings,
    is_at=address.is_discovery,
    has_own_resource=True,
    read=read,
)
