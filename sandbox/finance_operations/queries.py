"""Query options of a URL: what ASP.NET Web API OData understands, refuses and ignores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.faults.errors import bad_query, unknown_property
from sandbox.finance_operations.csdl import NAMESPACE, shown
from sandbox.query import filters
from sandbox.query.option_values import (
    check_known,
    empty,
    filter_text,
    in_link,
    number,
    options,
    order_by,
)

if TYPE_CHECKING:
    from sandbox.data.model import Column, Table
    from sandbox.query.filters import Expression
    from sandbox.query.option_values import OrderBy

CROSS_COMPANY = "cross-company"
KNOWN = frozenset({"$select", "$filter", "$orderby", "$top", "$skip", "$count", "$format"})
UNSORTABLE = frozenset({"Edm.Binary"})


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
        return in_link(kept)


def read(raw: str, table: Table) -> Query:
    """Parse a query string and check it against the table.

    Args:
        raw: The query string.
        table: The table.

    Raises:
        ServiceError: The query is invalid.
    """
    given = options(raw)
    check_known(given, KNOWN)
    text = filter_text(given)
    return Query(
        select=_select(given.get("$select"), table),
        filter=filters.parse(text) if text else None,
        order=_order(given.get("$orderby", ""), table),
        top=number("$top", given.get("$top")),
        skip=number("$skip", given.get("$skip")) or 0,
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
        raise empty(name="$select")
    return tuple(column for column in shown(table) if column in chosen)


def _order(text: str, table: Table) -> tuple[OrderBy, ...]:
    found = tuple(order_by(text, lambda name: column_of(name, table)))
    for part in found:
        if part.column.edm_type in UNSORTABLE:
            name = part.column.property_name
            message = f"The property '{name}' cannot be used in the $orderby query option."
            raise bad_query(message)
    return found


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        message = f"'{text}' is not a valid count option: only 'true' and 'false' are."
        raise bad_query(message)
    return text == "true"
