"""Virtual tables: the rows of another system, which a data provider fetches.

A provider translates what it knows of a query, and refuses or passes over the rest. Recorded
answers of virtual tables have rows in no order, a cookie of the provider's own in the nextLink,
and no nextLink with `$top`.
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

if TYPE_CHECKING:
    from sandbox.data.model import Table
    from sandbox.query.pages import Pages
    from sandbox.query.preferences import Preferences

# The provider of tables that have none yet, and one that is there.
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
    """Answers queries over virtual tables.

    Attributes:
        status: with which queries are refused.
    """

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.status = 400
        self._manner = ABSENT

    @property
    def manner(self) -> str:
        """What the provider makes of a query; one that is absent reads no rows."""
        return self._manner

    @manner.setter
    def manner(self, manner: str) -> None:
        there = manner != ABSENT
        if there != (self._manner != ABSENT):
            model = self.pages.model
            for table in model.tables:
                if table.table_type is TableType.VIRTUAL:
                    provider = PROVIDER if there else PLACEHOLDER
                    changed = replace(table, readable=there, data_provider=provider)
                    model.replace(table.name, changed)
        self._manner = manner

    def page(
        self, table: Table, root: str, raw: str, preferences: Preferences, largest: int
    ) -> bytes:
        """One page of a virtual table, in the provider's own order.

        Args:
            table: whose rows.
            root: the URL of the service, for the links.
            raw: the query string.
            preferences: the page size and the annotations asked for.
            largest: the most rows of a page.

        Raises:
            ServiceError: the provider does not understand the query.
        """
        asked = self.pages.asked(table, raw)
        refused = {
            REFUSES_ORDER: "OrderBy" if asked.order else "",
            REFUSES_FILTER: "Filter" if asked.filter else "",
        }
        if option := refused.get(self.manner):
            message = f"The data provider does not support the query option {option}."
            raise ServiceError(self.status, "0x80040224", message)
        size, limited = self.pages.size(asked, preferences, largest)
        number, start = _place(asked.skip_token)
        where, parameters = self.pages.where(table, asked)
        row = self.pages.renderer.row(table, asked.select, preferences.annotations)
        found = self.pages.store.select(
            f"SELECT {row} FROM {quoted(table.name)} WHERE {where} "  # noqa: S608  - made of the model's names
            f"ORDER BY substr({quoted(table.primary_id)}, 3) LIMIT {size + 1} OFFSET {start}",
            parameters,
        )
        head = [f'"@odata.context":"{root}$metadata#{table.set_name}{self.pages.selected(asked)}"']
        head += self.pages.totals(table, asked, preferences.annotations)
        tail = ""
        if len(found) > size and not limited:
            link = f"{root}{table.set_name}?{asked.text}{'&' * bool(asked.text)}"
            tail = self.pages.onward(link, _token(number + 1, start + size))
        rows = b",".join(row for (row,) in found[:size])
        return f'{{{",".join(head)},"value":['.encode() + rows + f"]{tail}}}".encode()


def _token(number: int, start: int) -> str:
    """A `$skiptoken`, encoded as it stands in the nextLink."""
    own = base64.b64encode(f"Paged=TRUE&p_SortBehavior=1&p_ID={start}".encode())
    return (
        f"%3Ccookie%20pagenumber=%22{number}%22%20pagingcookie=%22{quote(own, safe='=/')}%22%20"
        "istracking=%22False%22%20/%3E"
    )


def _place(token: str) -> tuple[int, int]:
    """The number of the page that a decoded token leads to, and of its first row."""
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
