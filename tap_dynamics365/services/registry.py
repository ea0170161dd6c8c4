"""Registry: the kinds of services, and how to find the kind by URL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urlsplit

from tap_dynamics365.services.business_central.kind import BUSINESS_CENTRAL
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.services.finance_operations.kind import FINANCE_OPERATIONS
from tap_dynamics365.services.other import OTHER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    found = whole = urldefrag(url).url
    for kind in KINDS:
        found = kind.complete_url(found)
    return url if found == whole else found
