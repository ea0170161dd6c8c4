"""Metadata documents of the APIs of an environment, each of which is read once in a run.

Discovery and the reads of rows through their parents need the same documents, which have megabytes.
"""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tap_dynamics365.errors import Dynamics365Error, MetadataError, ServiceError
from tap_dynamics365.odata.metadata_document import read_metadata
from tap_dynamics365.services.business_central import routes
from tap_dynamics365.services.kind import read_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.settings import Settings

logger = logging.getLogger("tap-dynamics365.discovery")

_lock = Lock()
_tables: WeakKeyDictionary[ODataClient, dict[str, Sequence[Table]]] = WeakKeyDictionary()


def tables(client: ODataClient, route: str) -> Sequence[Table]:
    """Read the tables of an API, in any thread.

    Args:
        client: The client of the service.
        route: The route of the API; empty for that of `service_url`.

    Raises:
        MetadataError: The document is not valid.
        ServiceError: The service refused.
    """
    with _lock:
        read = _tables.setdefault(client, {})
        if route not in read:
            root = routes.root(client.url, route) if route else ""
            read[route] = routes.named(read_metadata(client, root), route)
        return read[route]


def read_tables(client: ODataClient, settings: Settings) -> list[Table]:
    """Read the tables of all routes, and log which other routes there are.

    Args:
        client: The client of the service.
        settings: The settings.

    Returns:
        The tables of all metadata documents.

    Raises:
        MetadataError: The document of `service_url` is not valid.
        ServiceError: The service refused, or the document of a further route is not valid.
    """
    found = [*tables(client, "")]
    read = routes.further(settings)
    for route in read:
        try:
            found += tables(client, route)
        except (MetadataError, ServiceError) as error:
            msg = f"The route {route!r} of the setting api_routes can't be read. {error.message}"
            raise ServiceError(msg) from error
    _report({routes.route_of(client.url).lower(), *map(str.lower, read)}, client)
    return found


def _report(read: set[str], client: ODataClient) -> None:
    """Log which routes of the environment are not read."""
    try:
        answer = read_object(client, f"{routes.root(client.url, routes.STANDARD)}apicategoryroutes")
        offered = [*dict.fromkeys(_offered(answer.get("value")))]
    except Dynamics365Error as error:
        logger.debug("Can't read the routes of the environment: %s", error.message)
        return
    left = [route for route in offered if route.lower() not in read]
    if left:
        logger.info(
            "The environment has further APIs, which are not read: %s. To read one, add it to the "
            "setting api_routes.",
            ", ".join(sorted(left, key=lambda route: (route.startswith("microsoft/"), route))),
        )


def _offered(rows: Any) -> Iterator[str]:  # noqa: ANN401 - whatever the service sent
    """Yield the routes in an answer: those of publishers, and the newest standard API."""
    for row in rows if isinstance(rows, list) else ():
        parts = [row.get(name) for name in ("publisher", "group", "version")]
        if all(isinstance(part, str) and part for part in parts):
            yield "/".join(parts)
        elif parts[-1] == routes.STANDARD:
            yield routes.STANDARD
