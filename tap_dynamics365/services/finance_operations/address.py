"""Address: the URL of the OData service of Finance & Operations, and of its environment."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tap_dynamics365.errors import SettingsError

# Hosts of environments in the cloud, of cloud-hosted developer machines, of Human Resources, and of
# local machines.
HOST = re.compile(
    r"\.(?:operations(?:\.[a-z]+)?|cloudax|hr\.talent|onebox)\.dynamics\.com$", re.IGNORECASE
)
# A Dataverse behind a gateway may have the path /api/data/ without a version.
ROOT = re.compile(r"(?<!/api)/data/*$", re.IGNORECASE)
# Paths of the environment itself, whose page has options such as `?cmp=usmf`, and of what is below
# the service.
ENVIRONMENT = re.compile(r"/*(?:data/.*)?", re.IGNORECASE)


def matches(url: str) -> bool:
    """Tell whether a URL belongs to Finance & Operations.

    Args:
        url: The service root.
    """
    parts = urlsplit(url)
    return ROOT.search(parts.path) is not None or HOST.search(parts.hostname or "") is not None


def complete_url(url: str) -> str:
    """Return the URL of the OData service for the URL of an environment.

    Args:
        url: A URL with the host of the environment, or with the path of the service.
    """
    parts = urlsplit(url)
    if (
        not HOST.search(parts.hostname or "")
        or ROOT.search(parts.path)
        or not ENVIRONMENT.fullmatch(parts.path)
    ):
        return url
    return f"{parts.scheme}://{parts.netloc}/data/"


def check_url(url: str) -> None:
    """Check that a URL is the URL of the OData service.

    Args:
        url: The service root.

    Raises:
        SettingsError: The path is another one.
    """
    if not ROOT.search(urlsplit(url).path):
        msg = (
            "Setting service_url must end with the path of the OData service of Finance & "
            "Operations: add /data/ to the URL of the environment."
        )
        raise SettingsError(msg)
