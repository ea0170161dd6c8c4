"""Query options of a URL: what ASP.NET Web API OData understands, refuses and ignores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from sandbox.finance_operations.csdl import NAMESPACE, shown
from sandbox.finance_operations.errors import bad_query, unknown_property
from sandbox.query import filters
from sandbox.query.query_options import options

if TYPE_CHECKING:
    from sandbox.data.model import Column, Table
    from sandbox.query.filters import Expression

CROSS_COMPANY = "cross-company"
KNOWN = frozenset({"$select", "$filter", "$orderby", "$top", "$skip", "$count", "$format"})
DIRECTIONS = frozenset({"asc", "desc"})
UNSORTABLE = frozenset({"Edm.Binary"})


class OrderBy(NamedTuple):
    """One column to sort by."""

    column: Column
    descending: bool


@dataclass(frozen=True)
class Query:
    """Query of an entity set.

    Attributes:
        select: Columns to return, in the order of the document. Empty returns all columns.
        filter: Condition of the rows.
        order: Columns to sort by.
        top: Largest number of rows.
        skip: Number of rows to leave out.
        count: Whether the number of rows is asked for.
        cross_company: Whether the rows of all companies are asked for.
        given: All options, decoded.
    """

    select: tuple[Column, ...]
    filter: Expression | None
    order: tuple[OrderBy, ...]
    top: int | None
    skip: int
    count: bool
    cross_company: bool
    given: dict[str, str]

    def onward(self, rows: int) -> str:
        """Return the query string that continues after a page.

        Args:
            rows: Number of rows of the page.
        """
        kept = {k: v for k, v in self.given.items() if k not in {"$skip", "$top"}}
        kept["$skip"] = str(self.skip + rows)
        if self.top is not None:
            kept["$top"] = str(self.top - rows)
        return "&".join(f"{quote(k, safe='$')}={quote(v, safe='')}" for k, v in kept.items())


def read(raw: str, table: Table) -> Query:
    """Parse a query string and check it against the table.

    Args:
        raw: The query string.
        table: The table.

    Raises:
        ServiceError: The query is invalid.
    """
    given = options(raw)
    for name in given:
        if name.startswith("$") and name not in KNOWN:
            message = f"The query parameter '{name}' is not supported."
            raise bad_query(message)
    text = given.get("$filter", "")
    if "$filter" in given and not text.strip():
        message = "The value for OData query '$filter' cannot be empty."
        raise bad_query(message)
    return Query(
        select=_select(given.get("$select"), table),
        filter=filters.parse(text) if text else None,
        order=_order(given.get("$orderby", ""), table),
        top=_number("$top", given.get("$top")),
        skip=_number("$skip", given.get("$skip")) or 0,
        count=_flag(given.get("$count", "false")),
        cross_company=given.get(CROSS_COMPANY, "").lower() == "true",
        given=given,
    )


def column_of(name: str, table: Table) -> Column:
    """Return the column with a name; names are case-sensitive.

    Raises:
        ServiceError: There is no such column.
    """
    column = table.by_property.get(name)
    if column is None or name.startswith("$"):
        raise unknown_property(name, f"{NAMESPACE}.{table.schema_name}")
    return column


def _select(text: str | None, table: Table) -> tuple[Column, ...]:
    if text is None:
        return ()
    names = [name.strip() for name in text.split(",")]
    if "*" in names:
        return ()
    chosen = {column_of(name, table) for name in names if name}
    if not chosen:
        message = "The value for OData query '$select' cannot be empty."
        raise bad_query(message)
    return tuple(column for column in shown(table) if column in chosen)


def _order(text: str, table: Table) -> tuple[OrderBy, ...]:
    found: list[OrderBy] = []
    for part in text.split(",") if text.strip() else ():
        words = part.split()
        direction = words[1:] or ["asc"]
        if not words or len(direction) > 1 or direction[0] not in DIRECTIONS:
            message = f"Syntax error at position {len(part)} in '{text}'."
            raise bad_query(message)
        column = column_of(words[0], table)
        if column.edm_type in UNSORTABLE:
            message = f"The property '{words[0]}' cannot be used in the $orderby query option."
            raise bad_query(message)
        found.append(OrderBy(column, direction[0] == "desc"))
    return tuple(found)


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        message = (
            f"Invalid value '{text}' for {name} query option found. The {name} query option "
            "requires a non-negative integer value."
        )
        raise bad_query(message)
    return int(text)


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        message = f"'{text}' is not a valid count option: only 'true' and 'false' are."
        raise bad_query(message)
    return text == "true"
