"""Routes: further APIs of the same environment, and the addresses of their entity sets.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/api-endpoint-structure
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from msgspec.structs import replace

from tap_dynamics365.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.part import Part
    from tap_dynamics365.settings import Settings

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
    main = route_of(settings.service_url).lower()
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


def route_of(url: str) -> str:
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
