"""OTHER: the ServiceKind of a URL that none of the services claims.

It is another OData service, or a Dataverse behind a gateway that changes the path. Of Dataverse it
keeps what does no harm elsewhere: error codes and messages, annotations, headers, and keys.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_dynamics365.errors import ServiceError, SettingsError
from tap_dynamics365.http.response import NO_DOCUMENT
from tap_dynamics365.odata.metadata_document import read_metadata
from tap_dynamics365.services.dataverse.kind import DATAVERSE
from tap_dynamics365.services.kind import ServiceKind
from tap_dynamics365.services.table_definition import Description

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.settings import Settings


# Pages of Microsoft that lead to environments, and are none.
PORTALS = frozenset(
    {
        "admin.powerplatform.microsoft.com",
        "apps.powerapps.com",
        "home.dynamics.com",
        "lcs.dynamics.com",
        "make.powerapps.com",
    }
)


def check_url(url: str) -> None:
    """Check that a URL is not that of a portal.

    Args:
        url: The service root.

    Raises:
        SettingsError: It is.
    """
    if (urlsplit(url).hostname or "") in PORTALS:
        msg = (
            "Setting service_url is the address of a portal: open an app of the environment from "
            "there, and write the address of that app, such as https://yourorg.crm.dynamics.com."
        )
        raise SettingsError(msg)


def read_tables(client: ODataClient, settings: Settings) -> Sequence[Table]:  # noqa: ARG001 - the form of the seam
    """Read the tables of the metadata document.

    Args:
        client: The client of the service.
        settings: The settings.

    Raises:
        MetadataError: The document is not valid.
        ServiceError: The service refused. If it has no such document, the message names the
            addresses that a server of this host is likely to have.
    """
    try:
        return read_metadata(client)
    except ServiceError as error:
        if error.response is None or error.response.status_code not in NO_DOCUMENT:
            raise
        root = client.url
        msg = (
            f"{error.message} The tap can't tell the service from this host. Likely are "
            f"{root}api/data/v9.1/ for Customer Engagement, where the organization may come first "
            f"in the path, {root}data/ for Finance & Operations, and {root}api/v2.0/ for Business "
            "Central."
        )
        raise ServiceError(msg, error.failure, response=error.response) from error


def describe(client: ODataClient, settings: Settings) -> Description:
    """Read the description of the service.

    Args:
        client: The client of the service.
        settings: The settings.
    """
    return Description(tables=tuple(read_tables(client, settings)))


OTHER = ServiceKind(
    name="an OData service",
    matches=lambda url: True,  # noqa: ARG005 - whatever it is
    dialect=replace(
        DATAVERSE.dialect, service="service", metadata_path="$metadata", metadata_version=""
    ),
    replication_keys=DATAVERSE.replication_keys,
    partition=DATAVERSE.partition,
    refine=DATAVERSE.refine,
    check_url=check_url,
    directory=DATAVERSE.directory,
    read_tables=read_tables,
    describe=describe,
)
