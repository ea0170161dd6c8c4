"""Labels: captions of entity sets and columns, from the set `entityDefinitions` of API v2.0.

https://learn.microsoft.com/dynamics365/business-central/dev-itpro/api-reference/v2.0/resources/dynamics_entitydefinition
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from tap_dynamics365.errors import REFUSED, Failure, ServiceError
from tap_dynamics365.http.response import DECODE_ERRORS
from tap_dynamics365.services.business_central import routes
from tap_dynamics365.services.table_definition import ColumnDefinition, TableDefinition, Texts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.odata.edm import Table

logger = logging.getLogger("tap-dynamics365.definitions")

SET = "entityDefinitions"
# Other APIs don't have the set, or have no captions in it.
ROOT = re.compile(r"/api/v2\.0/*$", re.IGNORECASE)
ENGLISH = 1033
NOT_READ = "The captions of tables and columns can't be read (%s): the catalog has no titles."


class _Caption(msgspec.Struct, rename="camel"):
    language_code: int
    caption: str


class _Field(msgspec.Struct):
    name: str
    captions: list[_Caption] = []


class _Entity(msgspec.Struct, rename="camel"):
    entity_set_name: str = ""
    entity_set_captions: list[_Caption] = []
    properties: list[_Field] = []


_decode = msgspec.json.Decoder(_Entity).decode


def define(
    client: ODataClient,
    tables: Sequence[Table],
    names: Collection[str] | None,  # noqa: ARG001 - the captions of all tables come together
) -> Iterator[TableDefinition | None]:
    """Read the captions of tables and columns.

    Args:
        client: The client of the service.
        tables: The tables.
        names: The names of the tables; None if these are all tables of the service.

    Returns:
        The definition of each table; None where there are no captions.

    Raises:
        ServiceError: The service does not respond.
    """
    found = read(client, tables)
    return (found.get(table.name) for table in tables)


def read(client: ODataClient, tables: Sequence[Table]) -> Mapping[str, TableDefinition]:
    """Read the captions of tables and columns.

    Args:
        client: The client of the service.
        tables: The tables.

    Returns:
        A definition for each table that has captions, by name; empty if the service does not
        provide them.

    Raises:
        ServiceError: The service does not respond.
    """
    is_main = ROOT.search(urlsplit(client.url).path) is not None
    route = "" if is_main else routes.STANDARD
    by_set = {
        name: table.name
        for table in tables
        for of, name in [routes.split(table.entity_set)]
        if of == route
    }
    if not by_set:
        return {}
    root = client.url if is_main else routes.root(client.url, route)
    try:
        return {
            name: _definition(name, entity)
            for entity in _read(client, root)
            if (name := by_set.get(entity.entity_set_name))
        }
    except DECODE_ERRORS as error:
        logger.warning(NOT_READ, error)
    except ServiceError as error:
        # Other failures may be temporary, and must not change the catalog.
        if error.failure not in REFUSED | {Failure.FATAL}:
            raise
        logger.warning(NOT_READ, error.message)
    return {}


def _read(client: ODataClient, root: str) -> Iterator[_Entity]:
    read = client.retrying(client.read_page)
    link: str | None = root + SET
    followed = set[str]()
    while link is not None and link not in followed:
        followed.add(link)
        page = read(link)
        yield from map(_decode, page.rows)
        link = page.next_link and client.resolve(page.next_link)


def _definition(name: str, entity: _Entity) -> TableDefinition:
    return TableDefinition(
        name=name,
        entity_set=entity.entity_set_name,
        display_name=_texts(entity.entity_set_captions),
        columns=tuple(
            ColumnDefinition(name=field.name, display_name=_texts(field.captions))
            for field in entity.properties
        ),
    )


def _texts(captions: Sequence[_Caption]) -> Texts:
    """Return the captions; the English one is the title, or the first one if there is none."""
    texts = {each.language_code: each.caption for each in captions if each.caption}
    return Texts(texts, ENGLISH if ENGLISH in texts else next(iter(texts), None))
