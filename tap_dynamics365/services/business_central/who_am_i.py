"""Who am I: what Business Central says of the environment that a user has signed in to."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_dynamics365.redaction import printable
from tap_dynamics365.services.business_central import address, environments, routes
from tap_dynamics365.services.kind import Identity, read_object

if TYPE_CHECKING:
    from tap_dynamics365.odata.client import ODataClient

# The companies that a message names.
MOST_NAMED = 3


def who_am_i(client: ODataClient) -> Identity:
    """Read the companies of the environment. The service does not name the user.

    Args:
        client: The client of the service.

    Returns:
        What is known.

    Raises:
        ServiceError: The service does not accept the sign-in.
        SettingsError: `service_url` names no environment.
    """
    environments.check_address(client)
    is_web_services = routes.is_web_services(client.url)
    path, column = ("Company", "Name") if is_web_services else ("companies", "name")
    rows = read_object(client, f"{path}?$select={column}").get("value")
    names = [
        printable(str(row[column]))
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and row.get(column)
    ]
    environment = address.parse(client.url).environment or urlsplit(client.url).netloc
    listed = ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")
    noun = "company" if len(names) == 1 else "companies"
    return Identity(
        user="",
        organization=(
            f"environment {environment} with {len(names)} {noun}{f' ({listed})' if listed else ''}"
        ),
        page=f"Business Central, {environment}.",
    )
