"""Address: the URL of the Web API of a Dataverse, and the URLs that people have instead."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tap_dynamics365.errors import SettingsError

# Hosts in each cloud, and the path of the Web API.
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/discovery-service
HOST = re.compile(
    r"\.crm[0-9]*\.(?:dynamics\.com|dynamics\.cn|microsoftdynamics\.us|appsplatform\.us)$"
)
# Hosts of the Global Discovery Service, which lists environments and is none.
DISCOVERY = re.compile(r"^globaldisco\.")
DISCOVERY_PATH = re.compile(r"/api/discovery(?:/|$)", re.IGNORECASE)
WEB_API = re.compile(r"/api/data/v[0-9]+(?:\.[0-9]+)?/*$", re.IGNORECASE)
# The start of a path in the cloud, where no path is before that of the Web API.
VERSION = re.compile(r"/api/data/v[0-9]+(?:\.[0-9]+)?/", re.IGNORECASE)
STANDARD = "/api/data/v9.2/"


def matches(url: str) -> bool:
    """Tell whether a URL belongs to a Dataverse.

    Args:
        url: The service root.
    """
    host = urlsplit(url).hostname or ""
    return "/api/data/v" in url.lower() or HOST.search(host) is not None or is_discovery(url)


def is_discovery(url: str) -> bool:
    """Tell whether a URL is that of the Global Discovery Service.

    Args:
        url: The service root.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if HOST.search(host):
        return DISCOVERY.search(host) is not None
    return DISCOVERY_PATH.match(parts.path) is not None


def complete_url(url: str) -> str:
    """Return the URL of the Web API for a URL of an environment in the cloud.

    In the cloud, a host is one environment, so that its apps, pages and tables lead to its API.

    Args:
        url: A URL with the host of the environment, or with the path of a Web API.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not HOST.search(host) or DISCOVERY.search(host) or WEB_API.search(parts.path):
        return url
    version = VERSION.match(parts.path)
    return f"{parts.scheme}://{parts.netloc}{version[0] if version else STANDARD}"


def check_url(url: str) -> None:
    """Check that a URL is the URL of the Web API.

    Args:
        url: The service root.

    Raises:
        SettingsError: The path is not that of the Web API.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_discovery(url):
        msg = (
            "Setting service_url is the URL of the discovery service: write that of an "
            "environment, such as https://yourorg.crm.dynamics.com."
        )
        raise SettingsError(msg)
    if HOST.search(host) and not WEB_API.match(parts.path):
        msg = (
            "Setting service_url must include the path and version of the Web API: add "
            f"{STANDARD} to the URL of the environment."
        )
        raise SettingsError(msg)
