"""BUSINESS_CENTRAL: the ServiceKind of Business Central.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/web-services
"""

from __future__ import annotations

from tap_dynamics365.odata.dialect import Dialect
from tap_dynamics365.services.business_central import (
    address,
    companies,
    documents,
    environments,
    errors,
    labels,
    routes,
    tables,
    values,
)
from tap_dynamics365.services.business_central.calculated import notices
from tap_dynamics365.services.business_central.description import describe
from tap_dynamics365.services.business_central.parents import parents
from tap_dynamics365.services.business_central.sets import is_bound
from tap_dynamics365.services.business_central.settings_checks import check_settings
from tap_dynamics365.services.business_central.who_am_i import who_am_i
from tap_dynamics365.services.kind import ServiceKind
from tap_dynamics365.services.limits import Limits
from tap_dynamics365.services.set_up import SetUp

# Row versions have an index. Dates have one only where the author of the table added it, and a
# sorted read without it takes longer than the service allows.
ROW_VERSION = frozenset({"systemRowVersion"})

# https://learn.microsoft.com/dynamics365/business-central/dev-itpro/administration/operational-limits-online
LARGEST_PAGE = 20_000
# Requests of a user that are worked on at a time. By default, one is left for other programs.
MOST_REQUESTS, DEFAULT_REQUESTS = 5, 4
# A query string of 8,100 characters is refused.
LONGEST_URL = 8_000


# Operations take up to 8 minutes, and reads come from a replica that lags behind.
LATE_SECONDS = 600

BUSINESS_CENTRAL = ServiceKind(
    name="Business Central",
    matches=address.matches,
    complete_url=address.complete_url,
    check_url=address.check_url,
    # On-premises, servers with several tenants need it.
    url_options=frozenset({"tenant"}),
    check_address=environments.check_address,
    directory=environments.ENVIRONMENTS,
    check_settings=check_settings,
    token_uri=address.token_uri,
    # https://learn.microsoft.com/dynamics365/business-central/dev-itpro/developer/devenv-develop-connect-apps
    permission="Financials.ReadWrite.All",
    set_up=SetUp(
        api="Dynamics 365 Business Central",
        person="The page *Users* lists you, with a permission set that may read the tables.",
        app=(
            (
                "*API permissions > Add a permission > Dynamics 365 Business Central > "
                "Application permissions* > `API.ReadWrite.All`. An administrator chooses *Grant"
                " admin consent*."
            ),
            (
                "In Business Central, search for the page *Microsoft Entra applications*, choose"
                " *New*, and enter the *Client ID*. Set *State* to *Enabled*. Under *User "
                "Permission Sets*, add sets that may read the tables, such as *D365 READ*."
            ),
        ),
    ),
    dialect=Dialect(
        errors=errors,
        service="Business Central",
        # Names of types differ from those of entity sets, which users know.
        is_named_by_set=True,
        # They tell through which parents rows can be read.
        has_navigations=True,
        headers=address.headers,
        # A page may write when it is opened, which a read-only connection refuses.
        writing_headers={"Data-Access-Intent": "ReadWrite"},
        start_requests=DEFAULT_REQUESTS,
        default_requests=DEFAULT_REQUESTS,
        most_requests=MOST_REQUESTS,
        # The service does not say how long to wait.
        first_throttle_wait=5.0,
        largest_page=LARGEST_PAGE,
        refuses_larger_pages=True,
        # The token of a link is the key of the last row that was sent.
        is_keyset_link=lambda link: "$skiptoken" in link or "%24skiptoken" in link.lower(),
        longest_url=LONGEST_URL,
        keeps_links=True,
        sorted_keys=ROW_VERSION,
        unique_keys=ROW_VERSION,
        joins_by_or=False,
        late_seconds=LATE_SECONDS,
        without_value=values.without_value,
        key_columns=tables.OWN_KEYS,
        sets_missing_keys=True,
    ),
    replication_keys=tables.REPLICATION_KEYS,
    tracks_changes=False,
    # Online.
    limits=Limits(requests=6_000),
    who_am_i=who_am_i,
    parts_name="companies",
    part_columns=companies.COLUMNS,
    parts=companies.parts,
    arrange=tables.arrange,
    url=routes.url,
    is_bound=is_bound,
    parents=parents,
    parent_id=tables.PARENT_ID,
    parent_changed_at=tables.PARENT_CHANGED_AT,
    read_tables=documents.read_tables,
    describe=describe,
    define=labels.define,
    notices=notices,
    conversion=values.conversion,
    describe_values=values.describe_values,
)
