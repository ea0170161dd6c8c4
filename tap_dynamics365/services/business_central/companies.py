"""Companies: the parts of an environment of Business Central, and which of them are selected.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/odata-web-services
"""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec

from tap_dynamics365.errors import ServiceError, SettingsError
from tap_dynamics365.odata.page import reading
from tap_dynamics365.redaction import printable
from tap_dynamics365.services.business_central import routes
from tap_dynamics365.services.part import Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.settings import Settings

logger = logging.getLogger("tap-dynamics365.companies")

#: The columns of the company, which the tap adds to each row.
COLUMNS = ("company_id", "company_name")
# Companies that an error names.
NAMED = 10
# The id of a row that has none.
NO_ID = "00000000-0000-0000-0000-000000000000"

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Company(NamedTuple):
    """A company.

    Attributes:
        id: The id; the name, where companies have no id.
        name: The name.
        path: The path of its entity sets.
    """

    id: str
    name: str
    path: str


def parts(client: ODataClient, settings: Settings) -> Sequence[Part]:
    """Read the companies of the environment, and log which names of the settings match none.

    Args:
        client: The client of the service.
        settings: The settings; `companies` selects companies.

    Returns:
        All companies, sorted by name.

    Raises:
        SettingsError: The setting `companies` matches no company.
        ServiceError: The service refused, or lists no company.
    """
    companies = _read(client)
    if not companies:
        msg = (
            "The service lists no company, and rows are in companies. Check that the user or the "
            "app that signs in may read at least one."
        )
        raise ServiceError(msg)
    wanted = settings.companies
    missing = [name for name in wanted if not any(_matches(name, each) for each in companies)]
    if wanted and len(missing) == len(wanted):
        first = ", ".join(repr(printable(company.name)) for company in companies[:NAMED])
        more = f", and {len(companies) - NAMED} more" if len(companies) > NAMED else ""
        msg = f"No company matches the setting companies. The companies are: {first}{more}."
        raise SettingsError(msg)
    for name in missing:
        logger.warning("No company matches %r of the setting companies.", name)
    return [
        Part(
            id=company.id,
            name=company.name,
            path=company.path,
            values=dict(zip(COLUMNS, (company.id, company.name), strict=True)),
            is_selected=not wanted or any(_matches(name, company) for name in wanted),
        )
        for company in companies
    ]


def _matches(name: str, company: Company) -> bool:
    """Tell whether a name, an id, or a shell-style pattern matches a company."""
    text, wanted = company.name.lower(), name.lower()
    # A name may hold characters that are wildcards in a pattern.
    return wanted in {text, company.id.lower()} or fnmatchcase(text, wanted)


def _read(client: ODataClient) -> list[Company]:
    """Read all companies, sorted by name."""
    if routes.is_web_services(client.url):
        found = [_by_name(row) for row in _rows(client, "Company")]
    else:
        found = [_by_id(row) for row in _rows(client, "companies")]
    # A company may move to another page while the pages are read.
    unique = {company.id: company for company in found}
    return sorted(unique.values(), key=lambda company: (company.name.lower(), company))


def _by_id(row: dict[str, Any]) -> Company:
    """Read a company of an API, where it is addressed by its id."""
    company_id, name = _text(row, "id"), _text(row, "name")
    return Company(company_id, name, routes.company_path(company_id))


def _by_name(row: dict[str, Any]) -> Company:
    """Read a company of the OData web services, where it is addressed by its name.

    An apostrophe within a text is doubled ("OData Version 4.01 Part 2: URL Conventions", section
    5.1.1.14.1).
    """
    name = _text(row, "Name")
    written = quote(name.replace("'", "''"), safe="")
    company_id = row.get("Id")
    if not isinstance(company_id, str) or company_id in {"", NO_ID}:
        company_id = name
    return Company(company_id, name, f"Company('{written}')/")


def _text(row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    if not isinstance(value, str):
        msg = f"The service lists a company without {column!r}. Check service_url."
        raise ServiceError(msg)
    return value


def _rows(client: ODataClient, entity_set: str) -> Iterator[dict[str, Any]]:
    """Read all rows of an entity set."""
    read = client.retrying(client.read_page)
    url, seen = client.url + entity_set, set[str]()
    while url not in seen:
        seen.add(url)
        page = read(url)
        for text in page.rows:
            with reading():
                yield _decode(text)
        if page.is_last:
            return
        url = client.resolve(page.next_link) if page.next_link else url
    msg = (
        "The list of companies can't be read whole: the service says that there are more, but "
        "gives no link to them. Run again."
    )
    raise ServiceError(msg)
