"""Description of an environment of Business Central: the tables of all routes, and captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.services.business_central import documents, labels
from tap_dynamics365.services.business_central.tables import arrange
from tap_dynamics365.services.table_definition import Definitions, Description

if TYPE_CHECKING:
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.settings import Settings


def describe(client: ODataClient, settings: Settings) -> Description:
    """Read the whole description.

    Args:
        client: The client of the service.
        settings: The settings; `api_routes` has further APIs.

    Returns:
        The description.

    Raises:
        MetadataError: A metadata document is not valid.
        ServiceError: The service refused.
    """
    tables = documents.read_tables(client, settings)
    definitions = labels.read(client, arrange(tables))
    return Description(tables=tuple(tables), definitions=Definitions({**definitions}))
