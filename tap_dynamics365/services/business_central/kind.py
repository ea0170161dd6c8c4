"""BUSINESS_CENTRAL: the ServiceKind of Business Central.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/web-services
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tap_dynamics365.odata.dialect import Dialect
from tap_dynamics365.services.business_central import companies, errors
from tap_dynamics365.services.kind import ServiceKind, check_finance_operations

HOST = "api.businesscentral.dynamics.com"
# The standard APIs, the API of a publisher, and the OData web services.
ROOT = re.compile(
    r"/(?:api/(?:v\d+\.\d+|beta)|api/[^/]+/[^/]+/(?:v\d+\.\d+|beta)|ODataV4)/*$", re.IGNORECASE
)

# The columns of the time of a change, which the server sets, and of its number.
REPLICATION_KEYS = ("systemRowVersion", "systemModifiedAt", "lastModifiedDateTime")

# https://learn.microsoft.com/dynamics365/business-central/dev-itpro/administration/operational-limits-online
LARGEST_PAGE = 20_000
# 5 requests of a user are worked on at a time. One is left for other programs.
START_REQUESTS = 4
# A query string of 8,100 characters is refused.
LONGEST_URL = 8_000


def matches(url: str) -> bool:
    """Tell whether a URL belongs to Business Central.

    Args:
        url: The service root.
    """
    parts = urlsplit(url)
    return (parts.hostname or "").lower() == HOST or ROOT.search(parts.path) is not None


BUSINESS_CENTRAL = ServiceKind(
    name="Business Central",
    matches=matches,
    check_settings=check_finance_operations,
    # https://learn.microsoft.com/dynamics365/business-central/dev-itpro/developer/devenv-develop-connect-apps
    permission="Financials.ReadWrite.All",
    dialect=Dialect(
        errors=errors,
        service="Business Central",
        # Names of types differ from those of entity sets, which users know.
        is_named_by_set=True,
        start_requests=START_REQUESTS,
        # The service does not say how long to wait.
        first_throttle_wait=5.0,
        largest_page=LARGEST_PAGE,
        # The token of a link is the key of the last row that was sent.
        is_keyset_link=lambda link: "$skiptoken" in link or "%24skiptoken" in link.lower(),
        longest_url=LONGEST_URL,
        key_columns=REPLICATION_KEYS,
        sets_missing_keys=True,
    ),
    replication_keys=REPLICATION_KEYS,
    tracks_changes=False,
    part_columns=companies.COLUMNS,
    parts=companies.parts,
)
