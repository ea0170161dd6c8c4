"""Query options of a URL (Microsoft Learn, "Query data using the Web API")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from sandbox.data.model import Kind
from sandbox.faults.errors import bad_query, unknown_property
from sandbox.query import filters
from sandbox.query.option_values import OrderBy, check_known, number, options

if TYPE_CHECKING:
    from sandbox.data.model import Column, Model, Table
    from sandbox.query.filters import Expression

KNOWN = frozenset({"$select", "$filter", "$orderby", "$top", "$count", "$skiptoken", "$deltatoken"})
# Characters that are not percent-encoded in a link.
BARE = ",()/:;=@$!*'"
LINKED = frozenset({"$skiptoken", "$deltatoken"})
UNSUPPORTED = {
    "$skip": "Skip Clause is not supported in CRM",
    "$search": "Search Clause is not supported in CRM",
    "$format": "The query parameter '$format' is not supported.",
    "$expand": "The query parameter '$expand' is not supported by the sandbox.",
    "$apply": "The query parameter '$apply' is not supported by the sandbox.",
}


@dataclass(frozen=True)
class Query:
    """Query of an entity set.

    Attributes:
        select: Columns to return. Empty returns all columns.
        named: Columns that `$select` names, as the context URL lists them.
        filter: Condition of the rows.
        order: Columns to sort by.
        top: Largest number of rows.
        count: Whether the number of rows is asked for.
        skip_token: Token of the page.
        delta_token: Token from which changes are asked for.
        text: Options as a nextLink repeats them, without tokens.
    """

    select: tuple[Column, ...]
    named: tuple[Column, ...]
    filter: Expression | None
    order: tuple[OrderBy, ...]
    top: int | None
    count: bool
    skip_token: str
    delta_token: str
    text: str


def encoded(given: dict[str, str]) -> str:
    """Encode options as the service writes them into links."""
    return "&".join(f"{name}={quote(value, safe=BARE)}" for name, value in given.items())


def read(raw: str, model: Model, table: Table) -> Query:
    """Parse a query string and check it against the table.

    Args:
        raw: The query string.
        model: Data model of the table.
        table: The table.

    Raises:
        ServiceError: The query is invalid.
    """
    given = options(raw)
    for name in given:
        if name in UNSUPPORTED:
            raise bad_query(UNSUPPORTED[name])
    check_known(given, KNOWN)
    type_name = f"{model.namespace}.{table.name}"
    aliases = {name: value for name, value in given.items() if name.startswith("@")}
    filter_text = _with_aliases(given.get("$filter", ""), aliases)
    if "$filter" in given and not filter_text.strip():
        message = "Syntax error at position 0 in ''."
        raise bad_query(message)
    kept = {name: value for name, value in given.items() if name not in LINKED}
    named = _named(given.get("$select", ""), table, type_name)
    return Query(
        select=_sent(named, table),
        named=named,
        filter=filters.parse(filter_text) if filter_text else None,
        order=_order(_with_aliases(given.get("$orderby", ""), aliases), table, type_name),
        top=number("$top", given.get("$top")),
        count=given.get("$count", "").lower() == "true",
        skip_token=given.get("$skiptoken", ""),
        delta_token=given.get("$deltatoken", ""),
        text=encoded(kept),
    )


def _with_aliases(text: str, aliases: dict[str, str]) -> str:
    return re.sub(r"@\w+", lambda match: aliases.get(match[0], match[0]), text)


def _column(name: str, table: Table, type_name: str) -> Column:
    column = table.by_property.get(name)
    if column is None or column.kind is Kind.STREAM:
        raise unknown_property(name, type_name)
    return column


def _named(text: str, table: Table, type_name: str) -> tuple[Column, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or "*" in names:
        return ()
    return tuple(_column(name, table, type_name) for name in names)


def _sent(named: tuple[Column, ...], table: Table) -> tuple[Column, ...]:
    """Return the columns that a row has; all of them if none is named."""
    if not named:
        return ()
    columns = list(named)
    # A money column brings its currency; the keys are always returned.
    implied = [*table.key, *table.row_key, *table.always_returned]
    if any(column.kind is Kind.MONEY for column in columns):
        implied.append("_transactioncurrencyid_value")
    # A part of an address brings the composite address.
    parts = (re.match(r"(address\d)_", column.name) for column in named)
    implied += [f"{part[1]}_composite" for part in parts if part]
    columns += [table.by_property[name] for name in implied if name in table.by_property]
    return tuple(dict.fromkeys(columns))


def _order(text: str, table: Table, type_name: str) -> tuple[OrderBy, ...]:
    result = []
    for part in text.split(","):
        words = part.split()
        if not words:
            continue
        if len(words) > 2 or (len(words) > 1 and words[1] not in {"asc", "desc"}):  # noqa: PLR2004  - column and direction
            message = f"Syntax error at position {len(part)} in '{text}'."
            raise bad_query(message)
        result.append(OrderBy(_column(words[0], table, type_name), words[-1] == "desc"))
    return tuple(result)
