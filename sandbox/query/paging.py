"""Skip tokens: the paging cookie inside a nextLink (Microsoft Learn, "Page results").

A token is an XML element with the page number and, percent-encoded once more, the cookie: for each
sorted column its value in the last and the first row of the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from sandbox.data.guids import sortable
from sandbox.data.model import INTEGERS, Kind
from sandbox.data.store import order_of, quoted
from sandbox.faults.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.data.model import Column, Table
    from sandbox.query.option_values import OrderBy

LARGEST_PAGE = 5_000


@dataclass(frozen=True)
class Cookie:
    """Position of a page.

    Attributes:
        page: Number of the page.
        last: Sorted columns and key, with their values in the last row before the page. Empty for
            the first page.
    """

    page: int
    last: tuple[tuple[str, Any], ...]


def _attribute(name: str, column: Column, value: Any) -> str:  # noqa: ANN401  - a cell
    if isinstance(value, bytes):
        value = value.decode()
    if value is None:
        return f'{name}null="1"'
    if column.edm_type == "Edm.Guid":
        value = f"{{{str(value).upper()}}}"
    return f"{name}={quoteattr(str(value), {chr(34): '&quot;'})}"


def _lower(escape: re.Match[str]) -> str:
    return escape[0].lower()


def token(
    page: int,
    columns: Sequence[Column],
    first: Sequence[Any],
    last: Sequence[Any],
    version: str = "",
) -> str:
    """Return the `$skiptoken` after a page, encoded for the nextLink.

    Args:
        page: Number of the page that was just served.
        columns: Sorted columns and key.
        first: Values of these columns in the first row of the page.
        last: Values of these columns in the last row of the page.
        version: Version number at which the next delta begins, when changes are tracked.
    """
    elements = "".join(
        f"<{column.name} {_attribute('last', column, end)} {_attribute('first', column, start)} />"
        for column, start, end in zip(columns, first, last, strict=True)
    )
    inner = quote(f'<cookie page="{page}">{elements}</cookie>', safe="")
    inner = re.sub("%[0-9A-F]{2}", _lower, inner)
    tracking = f'"True" trackingversion="{version}"' if version else '"False"'
    outer = f'<cookie pagenumber="{page + 1}" pagingcookie="{inner}" istracking={tracking} />'
    return quote(outer, safe="=/")


def onward(text: str) -> str:
    """Return an encoded token for the same position as a decoded one, with another page number."""
    if not text:
        text = '<cookie pagenumber="1" pagingcookie="" istracking="False" />'
    text = re.sub(r'pagenumber="(\d+)"', lambda m: f'pagenumber="{int(m[1]) + 1}"', text)
    return quote(text, safe="=/")


def read(text: str, columns: Sequence[Column]) -> Cookie:
    """Parse a decoded `$skiptoken`.

    Args:
        text: The token.
        columns: Sorted columns and key of the query.

    Raises:
        ServiceError: The token is not one of this query.
    """
    try:
        outer = ET.fromstring(text)  # noqa: S314  - a small text, and only this machine sends it
        if not outer.attrib["pagingcookie"]:
            return Cookie(int(outer.attrib["pagenumber"]), ())
        inner = ET.fromstring(unquote(outer.attrib["pagingcookie"]))  # noqa: S314  - as above
        by_name = {element.tag: element.attrib for element in inner}
        last = tuple(
            (column.property_name, _value(column, by_name[column.name])) for column in columns
        )
        return Cookie(int(outer.attrib["pagenumber"]), last)
    except (ET.ParseError, KeyError, ValueError):
        message = "Malformed XML in the Paging Cookie"
        raise ServiceError(400, "0x80041129", message) from None


def _value(column: Column, attributes: dict[str, str]) -> Any:  # noqa: ANN401  - a cell
    if "lastnull" in attributes:
        return None
    text = attributes["last"]
    if column.edm_type == "Edm.Guid":
        return text.strip("{}").lower()
    if column.edm_type in INTEGERS:
        return int(text)
    return text


def paging_columns(table: Table, order: Sequence[OrderBy]) -> list[Column]:
    """Return the columns of a cookie: the sorted columns, then the key."""
    columns = [part.column for part in order]
    columns += [table.by_property[name] for name in table.row_key]
    return [c for c in dict.fromkeys(columns) if c.kind is not Kind.STREAM]


def after(cookie: Cookie, table: Table, order: Sequence[OrderBy]) -> tuple[str, list[Any]]:
    """Return the SQL condition for the rows after a cookie, with its parameters.

    The condition compares the sorted columns and then the key, even where the rows are not sorted
    by the key: rows with equal values are repeated or skipped at the border of two pages, as the
    documentation of the service warns.

    Args:
        cookie: The cookie.
        table: The table.
        order: Columns to sort by.
    """
    if not cookie.last:
        return "1", []
    descending = {part.column.property_name for part in order if part.descending}
    condition, parameters = "0", list[Any]()
    columns = paging_columns(table, order)
    for column, (name, value) in reversed([*zip(columns, cookie.last, strict=True)]):
        sql, least = order_of(table, column), _sortable(column, value)
        beyond, values = _beyond(sql, least, descending=name in descending)
        condition = f"({beyond} OR ({quoted(name)} IS ? AND {condition}))"
        parameters = [*values, value, *parameters]
    name, value = cookie.last[0]
    if value is not None and name not in descending:
        # Redundant, in a form for which SQLite uses an index.
        condition = f"({order_of(table, columns[0])} >= ? AND {condition})"
        parameters = [_sortable(columns[0], value), *parameters]
    return condition, parameters


def _beyond(sql: str, value: Any, *, descending: bool) -> tuple[str, list[Any]]:  # noqa: ANN401  - a cell
    """Return the condition for values after one; null is the lowest value."""
    if descending:
        return ("0", []) if value is None else (f"({sql} < ? OR {sql} IS NULL)", [value])
    return (f"{sql} IS NOT NULL", []) if value is None else (f"{sql} > ?", [value])


def _sortable(column: Column, value: Any) -> Any:  # noqa: ANN401  - a cell
    """Return a value as `order_of` has it."""
    return sortable(value) if value is not None and column.edm_type == "Edm.Guid" else value
