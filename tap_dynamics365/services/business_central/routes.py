"""Routes: further APIs of the same environment, and the addresses of their entity sets.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/api-endpoint-structure
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from msgspec.structs import replace

from tap_dynamics365.errors import Dynamics365Error, MetadataError, ServiceError, SettingsError
from tap_dynamics365.odata.metadata_document import read_metadata
from tap_dynamics365.services.kind import read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.part import Part
    from tap_dynamics365.settings import Settings

logger = logging.getLogger("tap-dynamics365.discovery")

# The standard APIs, the API of a publisher, and the OData web services.
API = r"/(?:api/(?:[^/]+/[^/]+/)?(?:v\d+\.\d+|beta)|ODataV4)"
ROOT = re.compile(rf"{API}/*$", re.IGNORECASE)
WEB_SERVICES = re.compile(r"/ODataV4/*$", re.IGNORECASE)
# A route in the setting: a standard API, or the API of a publisher.
ROUTE = re.compile(r"(?:[^/?#]+/[^/?#]+/)?(?:v\d+\.\d+|beta)", re.IGNORECASE)
STANDARD = "v2.0"


def check(settings: Settings) -> None:
    """Check the setting `api_routes`.

    Args:
        settings: The settings.

    Raises:
        SettingsError: One of the routes is none.
    """
    for text in settings.api_routes:
        if not ROUTE.fullmatch(_bare(text)):
            msg = (
                f"Setting api_routes has {text!r}, which is no route of an API: write "
                "publisher/group/version, such as contoso/warehouse/v1.0."
            )
            raise SettingsError(msg)


def further(settings: Settings) -> list[str]:
    """Return the routes of the setting `api_routes`, without that of `service_url`, sorted.

    Args:
        settings: The settings.
    """
    main = _route_of(settings.service_url).lower()
    found = {route.lower(): route for route in map(_bare, settings.api_routes)}
    return sorted(route for lower, route in found.items() if lower != main)


def is_web_services(url: str) -> bool:
    """Tell whether a service root is that of the OData web services, and not of an API.

    Args:
        url: The service root.
    """
    return WEB_SERVICES.search(urlsplit(url).path) is not None


def _bare(text: str) -> str:
    """Return a route without slashes around it, and without `api/` before it."""
    route = text.strip().strip("/")
    rest = route.removeprefix("api/")
    return rest if ROUTE.fullmatch(rest) else route


def _route_of(url: str) -> str:
    """Return the route of a service root; empty for the OData web services."""
    _, _, route = urlsplit(url).path.rpartition("/api/")
    return unquote(route.strip("/")) if ROOT.search(urlsplit(url).path) else ""


def _environment(url: str) -> str:
    return ROOT.sub("/", url)


def root(url: str, route: str) -> str:
    """Return the service root of another API of the same environment.

    Args:
        url: The service root.
        route: The route of the other API.
    """
    return f"{_environment(url)}api/{quote(route)}/"


def split(entity_set: str) -> tuple[str, str]:
    """Divide an entity set of the catalog into its route and its name.

    Args:
        entity_set: The entity set, such as `contoso/warehouse/v1.0/bins`.

    Returns:
        The route, which is empty for that of `service_url`, and the name.
    """
    route, _, name = entity_set.rpartition("/")
    return route, name


def url(root_url: str, entity_set: str, part: Part | None) -> str:
    """Return the URL of the rows of an entity set.

    Args:
        root_url: The service root.
        entity_set: The entity set, as the catalog has it.
        part: The company; None for a set that is in no company.

    Returns:
        The URL. APIs address a company by its id, also beside OData web services, which address it
        by its name.
    """
    route, name = split(entity_set)
    if not route:
        return f"{root_url}{part.path if part else ''}{quote(name)}"
    return f"{root(root_url, route)}{company_path(part.id) if part else ''}{quote(name)}"


def company_path(company_id: str) -> str:
    """Return the path of the entity sets of a company in an API.

    Args:
        company_id: The id of the company.
    """
    return f"companies({quote(company_id)})/"


def named(tables: Iterable[Table], route: str) -> list[Table]:
    """Name the tables of a route as the catalog does.

    Args:
        tables: The tables of the metadata document.
        route: The route; empty for that of `service_url`.
    """
    if not route:
        return [*tables]
    return [replace(table, entity_set=f"{route}/{table.entity_set}") for table in tables]


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
    tables = read_metadata(client)
    read = further(settings)
    for route in read:
        try:
            tables += named(read_metadata(client, root(client.url, route)), route)
        except (MetadataError, ServiceError) as error:
            msg = f"The route {route!r} of the setting api_routes can't be read. {error.message}"
            raise ServiceError(msg) from error
    _report({_route_of(client.url).lower(), *map(str.lower, read)}, client)
    return tables


def _report(read: set[str], client: ODataClient) -> None:
    """Log which routes of the environment are not read."""
    try:
        answer = read_object(client, f"{root(client.url, STANDARD)}apicategoryroutes")
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
        elif parts[-1] == STANDARD:
            yield STANDARD


def stream_names(tables: Sequence[Table]) -> dict[str, str]:
    """Choose the names of streams, by entity set.

    Args:
        tables: The tables of all routes.

    Returns:
        The name of the entity set; with the route before it if another route has a set of the same
        name. Names that differ only by case count as the same.
    """
    sets = [table.entity_set for table in tables]
    short = _counted(split(each)[1] for each in sets)
    long = {each: re.sub(r"[/.]", "_", each) for each in sets}
    names = {
        each: name if not route or short[name.lower()] == 1 else long[each]
        for each in sets
        for route, name in [split(each)]
    }
    taken = _counted(names.values())
    return {
        each: each if "/" in each and taken[name.lower()] > 1 else name
        for each, name in names.items()
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name.lower()] = counts.get(name.lower(), 0) + 1
    return counts
