"""What the settings know about Dataverse: its hosts, its URLs, its limits."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tap_dynamics365.errors import SettingsError

EXAMPLE_URL = "https://yourorg.api.crm.dynamics.com/api/data/v9.2/"
# Rows in a page.
MAX_PAGE_SIZE = 5000
# Dataverse refuses more concurrent requests of one user with 0x80072326.
MAX_PARALLEL_REQUESTS = 52

# Hosts in each cloud, and the path of the Web API.
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/discovery-service
_HOST = re.compile(
    r"\.crm[0-9]*\.(?:dynamics\.com|dynamics\.cn|microsoftdynamics\.us|appsplatform\.us)$"
)
_WEB_API = re.compile(r"/api/data/v[0-9]+(?:\.[0-9]+)?/*$", re.IGNORECASE)


def check_service_url(url: str) -> None:
    """Check that the URL of a Dataverse host leads to the Web API.

    Args:
        url: The setting `service_url`. URLs of other hosts pass.

    Raises:
        SettingsError: The host is Dataverse, and the path is not the Web API's.
    """
    parts = urlsplit(url)
    if _HOST.search(parts.hostname or "") and not _WEB_API.match(parts.path):
        msg = (
            "Setting service_url must include the path and version of the Web API: add "
            "/api/data/v9.2/ to the URL of the environment."
        )
        raise SettingsError(msg)
