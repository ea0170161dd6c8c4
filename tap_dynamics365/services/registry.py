"""Registry: the kinds of services, and how to find the kind by URL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urlsplit

from tap_dynamics365.services.business_central.kind import BUSINESS_CENTRAL
from tap_dynamics365.services.dataverse import discovery
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.services.finance_operations.kind import FINANCE_OPERATIONS
from tap_dynamics365.services.other import OTHER
from tap_dynamics365.settings import connection_url, without_method

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from tap_dynamics365.services.directory import Directory
    from tap_dynamics365.services.kind import ExtraStream, ServiceKind

KINDS: Sequence[ServiceKind] = (DATAVERSE, FINANCE_OPERATIONS, BUSINESS_CENTRAL, OTHER)

# A host name with a dot, at the start of a URL without its scheme.
NO_SCHEME = re.compile(r"(?:[\w-]+\.)+[a-z][a-z0-9-]+(?::[0-9]+)?(?=[/?#]|$)", re.IGNORECASE)

#: The streams that describe a service, of all services, by name.
EXTRA_STREAMS: Mapping[str, ExtraStream] = {
    name: stream for kind in KINDS for name, stream in kind.extra_streams.items()
}


def kind_of(url: str) -> ServiceKind:
    """Return the kind of the service at a URL.

    Args:
        url: The service root.
    """
    return next(kind for kind in KINDS if kind.matches(url))


def directory_at(url: str) -> Directory | None:
    """Return the list of environments that a URL leads to; None if it leads to an environment.

    Args:
        url: The service root, or the root of the list.
    """
    directory = kind_of(url).directory
    return directory if directory is not None and directory.is_at(url) else None


def complete_url(text: str) -> str:
    """Return the URL of the API for what people have: a host, an environment, a page of an app.

    Args:
        text: The value of `service_url`.

    Returns:
        The URL of the API, with the options in its query. A text that can't be completed is
        returned as it is.
    """
    url = text.strip()
    if NO_SCHEME.match(url):
        url = f"https://{url}"
    if not url.lower().startswith("https://") or set("@\\ ").intersection(url):
        return text
    try:
        urlsplit(url)
    except ValueError:
        return text
    # Pages of apps have fragments, which are never sent.
    whole = urldefrag(url).url
    for kind in KINDS:
        if (found := kind.complete_url(whole)) != whole:
            return found
        # The path of one service may look like that of another.
        if kind.matches(whole):
            break
    return url


def with_directory(config: Mapping[str, Any]) -> dict[str, Any]:
    """Set `service_url` to the list of environments, if it is not set.

    The list is that of Dataverse, whose URL depends only on the cloud.

    Args:
        config: Values by setting name.

    Returns:
        The values with `service_url`.

    Raises:
        SettingsError: `connection_url` is not valid.
    """
    url = config.get("connection_url")
    known = {**(connection_url.parse(url)[0] if isinstance(url, str) and url else {}), **config}
    if known.get("service_url"):
        return {**config}
    token_uri = without_method(known.get("token_uri") or "")
    return {**config, "service_url": discovery.default_url(token_uri)}
