"""Address: the URLs of the APIs of Business Central, online and on-premises.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/api-endpoint-structure
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.services.business_central.routes import API, ROOT

HOST = "api.businesscentral.dynamics.com"
# The host of the web client, whose paths are `/<tenant>/<environment>` or `/<environment>`.
# https://learn.microsoft.com/dynamics365/business-central/dev-itpro/developer/devenv-web-client-urls
WEB_CLIENT = "businesscentral.dynamics.com"
# The admin center, which is no environment.
ADMIN = "admin"
STANDARD = "api/v2.0/"
EXAMPLE = f"https://{HOST}/v2.0/<tenant>/<environment>/{STANDARD}"

# A path below the root of an API.
BELOW = re.compile(rf"{API}(?=/+(?:\$metadata|compan(?:y|ies)\b))", re.IGNORECASE)
# The start of a path online: the version of the platform, a tenant, an environment. Behind a
# gateway, it tells Business Central from other services if the tenant is one.
PLATFORM = "v2.0"
FORMER_PLATFORM = "v1.0"
# The ID of a tenant, or its domain. The name of an environment has no dot.
TENANT = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[\w-]+(?:\.[\w-]+)+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Address:
    """The parts of a URL.

    Attributes:
        is_host: Whether the host is that of Business Central online.
        platform: The version of the platform, in lower case; empty on-premises.
        tenant: The ID or the domain of the tenant; empty if the URL names none.
        environment: The name of the environment; empty if the URL names none.
        is_whole: Whether the URL ends with the path of an API.
    """

    is_host: bool
    platform: str
    tenant: str
    environment: str
    is_whole: bool

    @property
    def is_online(self) -> bool:
        """Whether the service is in the cloud, as far as its URL says."""
        return self.is_host or bool(self.platform)


def parse(url: str) -> Address:
    """Read the parts of a URL.

    Args:
        url: The URL, without options.
    """
    parts = urlsplit(url)
    is_host = (parts.hostname or "").lower() == HOST
    path = parts.path
    found = ROOT.search(path) or BELOW.search(path)
    before = [unquote(part) for part in path[: found.start() if found else None].split("/") if part]
    platform = before[0].lower() if before else ""
    if platform not in {PLATFORM, FORMER_PLATFORM} or not (
        is_host or (platform == PLATFORM and (found or TENANT.fullmatch("".join(before[1:2]))))
    ):
        platform = ""
    names = before[1:] if platform else []
    tenant = names.pop(0) if names and (len(names) > 1 or TENANT.fullmatch(names[0])) else ""
    return Address(is_host, platform, tenant, "".join(names[:1]), ROOT.search(path) is not None)


def matches(url: str) -> bool:
    """Tell whether a URL belongs to Business Central.

    Args:
        url: The service root.
    """
    found = parse(url)
    path = urlsplit(url).path
    return found.is_online or found.is_whole or BELOW.search(path) is not None


def complete_url(url: str) -> str:
    """Return the URL of the standard API for the URL of an environment, or of the web client.

    Args:
        url: A URL with the path of an environment, or of an API.
    """
    parts = urlsplit(url)
    names = [name for name in parts.path.split("/") if name]
    if (parts.hostname or "").lower() == WEB_CLIENT:
        if ADMIN in names:
            names = names[: names.index(ADMIN)]
        place = "".join(f"{name}/" for name in (PLATFORM, *names[:2]))
        return complete_url(f"https://{HOST}/{place}")
    found = parse(url)
    is_environment = found.platform == PLATFORM and found.environment and not found.is_whole
    if not is_environment or len(names) != (3 if found.tenant else 2):
        return url
    place = "".join(f"{name}/" for name in names)
    # An option is left for the check of the options.
    return parts._replace(path=f"/{place}{STANDARD}").geturl()


def check_url(url: str) -> None:
    """Check that a URL is the URL of an API, or that its environments can be asked for.

    Args:
        url: The service root.

    Raises:
        SettingsError: It is the URL of something else.
    """
    found, path = parse(url), urlsplit(url).path
    if below := BELOW.search(path):
        msg = (
            f"Setting service_url must end with the path of the API: remove what follows "
            f"{below[0].lower() if 'api' in below[0].lower() else below[0]}/."
        )
        raise SettingsError(msg)
    if found.platform == FORMER_PLATFORM:
        msg = (
            "Setting service_url has the path /v1.0/ of the former platform, which Business "
            f"Central has ended: write it as {EXAMPLE}."
        )
        raise SettingsError(msg)
    if found.is_host and not found.platform and path.strip("/"):
        msg = f"Setting service_url is no URL of Business Central: write it as {EXAMPLE}."
        raise SettingsError(msg)
    if found.environment and not found.is_whole:
        msg = (
            f"Setting service_url must end with the path of an API: add {STANDARD}, the path of a "
            "custom API, or ODataV4/ to the URL of the environment."
        )
        raise SettingsError(msg)


def names_no_environment(url: str) -> bool:
    """Tell whether a URL leads to Business Central online, and to no environment of it.

    Args:
        url: The service root.
    """
    found = parse(url)
    return found.is_online and not found.environment


def token_uri(url: str) -> str | None:
    """Return the token endpoint of the tenant in a URL, at Microsoft's sign-in host.

    Args:
        url: The service root.

    Returns:
        The endpoint; None if the URL names no tenant, or is not on Microsoft's host.
    """
    found = parse(url)
    if not (found.is_host and TENANT.fullmatch(found.tenant)):
        return None
    return f"https://login.microsoftonline.com/{found.tenant}/oauth2/v2.0/token"


def headers(url: str) -> dict[str, str]:
    """Return the headers of each request.

    https://learn.microsoft.com/dynamics365/business-central/dev-itpro/developer/devenv-connect-apps-tips

    Args:
        url: The service root.
    """
    # Messages are classified by their words.
    found = {"Accept-Language": "en-US"}
    if parse(url).is_online:
        # Reads go to a replica, and don't slow down the users.
        found["Data-Access-Intent"] = "ReadOnly"
    return found
