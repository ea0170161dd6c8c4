"""BUSINESS_CENTRAL: the ServiceKind of Business Central.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/web-services
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_dynamics365.odata.dialect import Dialect
from tap_dynamics365.services.business_central import companies, errors, labels, routes, tables
from tap_dynamics365.services.business_central.calculated import notices
from tap_dynamics365.services.business_central.description import describe
from tap_dynamics365.services.business_central.parents import parents
from tap_dynamics365.services.business_central.sets import is_bound
from tap_dynamics365.services.kind import ServiceKind, check_finance_operations

if TYPE_CHECKING:
    from tap_dynamics365.settings import Settings

HOST = "api.businesscentral.dynamics.com"

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
    return (parts.hostname or "").lower() == HOST or routes.ROOT.search(parts.path) is not None


def check_settings(settings: Settings) -> None:
    """Check that no setting asks for what only other services have, and that routes are valid.

    Args:
        settings: The settings.

    Raises:
        SettingsError: A setting does, or a route is none.
    """
    check_finance_operations(settings)
    routes.check(settings)


BUSINESS_CENTRAL = ServiceKind(
    name="Business Central",
    matches=matches,
    check_settings=check_settings,
    # https://learn.microsoft.com/dynamics365/business-central/dev-itpro/developer/devenv-develop-connect-apps
    permission="Financials.ReadWrite.All",
    dialect=Dialect(
        errors=errors,
        service="Business Central",
        # Names of types differ from those of entity sets, which users know.
        is_named_by_set=True,
        # They tell through which parents rows can be read.
        has_navigations=True,
        start_requests=START_REQUESTS,
        # The service does not say how long to wait.
        first_throttle_wait=5.0,
        largest_page=LARGEST_PAGE,
        # The token of a link is the key of the last row that was sent.
        is_keyset_link=lambda link: "$skiptoken" in link or "%24skiptoken" in link.lower(),
        longest_url=LONGEST_URL,
        key_columns=tables.OWN_KEYS,
        sets_missing_keys=True,
    ),
    replication_keys=tables.REPLICATION_KEYS,
    tracks_changes=False,
    part_columns=companies.COLUMNS,
    parts=companies.parts,
    arrange=tables.arrange,
    url=routes.url,
    is_bound=is_bound,
    parents=parents,
    parent_changed_at=tables.PARENT_CHANGED_AT,
    read_tables=routes.read_tables,
    describe=describe,
    define=labels.define,
    notices=notices,
)
