"""Virtual tables: rows of another system that a data provider fetches.

A provider translates the parts of a query that it supports, and refuses or ignores the rest.
Recorded responses of virtual tables have rows in no order, a cookie of the provider in the
nextLink, and no nextLink with `$top`.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree import ElementTree as ET

from sandbox.data.model import TableType
from sandbox.data.store import quoted
from sandbox.faults.errors import ServiceError
from sandbox.query import bodies

if TYPE_CHECKING:
    from sandbox.data.model import Table
    from sandbox.query.pages import Pages
    from sandbox.query.preferences import Preferences

# Ids of data providers: the placeholder of tables without one, and a provider that exists.
PLACEHOLDER = "7015a531-cc0d-4537-b5f2-c882a1eb65ad"
PROVIDER = "6c3a4d6e-5f0b-4a57-9a1e-000000005e12"
ABSENT, IGNORES_ORDER, REFUSES_ORDER, REFUSES_FILTER = BEHAVIORS = (
    "absent",
    "ignores_order",
    "refuses_order",
    "refuses_filter",
)
COOKIE = re.compile(r"p_ID=(\d+)$")


class Provider:
    """Answers queries of virtual tables.

    Args:
        pages: Answers queries of other tables.

    Attributes:
        status: Status with which queries are refused.
    """

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.status = 400
        self._behavior = ABSENT

    @property
    def behavior(self) -> str:
        """What the provider does with a query; an absent provider reads no rows."""
        return self._behavior

    @behavior.setter
    def behavior(self, behavior: str) -> None:
        """What the provider does with a query; an absent provider reads no rows."""
        there = behavior != ABSENT
        if there != (self._behavior != ABSENT):
            model = self.pages.model
            for table in model.tables:
                if table.table_type is TableType.VIRTUAL:
                    provider = PROVIDER if there else PLACEHOLDER
                    changed = replace(table, readable=there, data_provider=provider)
                    model.replace(table.name, changed)
        self._behavior = behavior

    def page(
        self, table: Table, root: str, raw: str, preferences: Preferences, largest: int
    ) -> bytes:
        """Return one page of a virtual table, in the provider's own order.

        Args:
            table: The table.
            root: URL of the service root, for links.
            raw: The query string.
            preferences: Requested page size and annotations.
            largest: Largest number of rows in a page.

        Raises:
            ServiceError: The provider does not support the query.
        """
        query = self.pages.parse(table, raw)
        refused = {
            REFUSES_ORDER: "OrderBy" if query.order else "",
            REFUSES_FILTER: "Filter" if query.filter else "",
        }
        if option := refused.get(self.behavior):
            message = f"The data provider does not support the query option {option}."
            raise ServiceError(self.status, "0x80040224", message)
        size, limited = self.pages.size(query, preferences, largest)
        number, start = _place(query.skip_token)
        where, parameters = self.pages.where(table, query)
        row = self.pages.renderer.row(table, query.select, preferences.annotations)
        found = self.pages.store.select(
            f"SELECT {row} FROM {quoted(table.name)} WHERE {where} "  # noqa: S608  - made of the model's names
            f"ORDER BY substr({quoted(table.primary_id)}, 3) LIMIT {size + 1} OFFSET {start}",
            parameters,
        )
        head = [bodies.context(root, f"{table.set_name}{bodies.selected(query.named)}")]
        head += self.pages.totals(table, query, preferences.annotations)
        tail = ""
        if len(found) > size and not limited:
            link = f"{root}{table.set_name}?{query.text}{'&' * bool(query.text)}"
            tail = self.pages.onward(link, _token(number + 1, start + size))
        return bodies.page(head, (row for (row,) in found[:size]), tail)


def _token(number: int, start: int) -> str:
    """Return a `$skiptoken`, encoded for the nextLink."""
    own = base64.b64encode(f"Paged=TRUE&p_SortBehavior=1&p_ID={start}".encode())
    return (
        f"%3Ccookie%20pagenumber=%22{number}%22%20pagingcookie=%22{quote(own, safe='=/')}%22%20"
        "istracking=%22False%22%20/%3E"
    )


def _place(token: str) -> tuple[int, int]:
    """Return the number of the page of a decoded token, and the number of its first row."""
    if not token:
        return 1, 0
    try:
        cookie = ET.fromstring(token)  # noqa: S314  - a small text, and only this machine sends it
        own = base64.b64decode(cookie.attrib["pagingcookie"], validate=True).decode()
        place = COOKIE.search(own)
        return int(cookie.attrib["pagenumber"]), int(place[1] if place else "")
    except (ET.ParseError, KeyError, ValueError, binascii.Error):
        message = "Malformed XML in the Paging Cookie"
        raise ServiceError(400, "0x80041129", message) from None
