"""Query: writes the query options of OData ($select, $filter, $orderby).

"OData Version 4.0 Part 2: URL Conventions", section 5.1; what Dataverse supports:
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# A URL may have 32,768 characters. The service's token for the next page needs a few thousand.
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview
LONGEST_URL = 32_768 - 4_096
# Characters that are not percent-encoded in a query. A space becomes %20, because some services
# don't decode a plus sign.
SAFE = "$,:()'/@-._~"


def instant(moment: datetime) -> str:
    """Write a date and time as a literal.

    Args:
        moment: The date and time, with a time zone.

    Returns:
        The literal in UTC, with fractions of a second only if there are any.
    """
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def literal(text: str) -> str:
    """Write a text as a literal (OData URL Conventions 4.01, section 5.1.1.14.1).

    Args:
        text: The text, not percent-encoded.
    """
    return "'" + text.replace("'", "''") + "'"


def build(  # noqa: PLR0913 - what a query consists of
    columns: Sequence[str],
    *,
    order: Sequence[str] = (),
    bounded: str | None = None,
    start: str | int | None = None,
    stop: str | int | None = None,
    after: Mapping[str, str | None] | None = None,
    skip: int = 0,
    top: int | None = None,
    row_filter: str = "",
    condition: str | None = None,
    delta_token: str | None = None,
) -> str:
    """Write the query for rows of one table.

    Args:
        columns: The columns to request; all columns if empty.
        order: The columns to sort by. Unless they identify a row, the service may repeat or skip
            rows between pages.
        bounded: The column that `start` and `stop` are values of.
        start: The smallest value of that column, as a literal.
        stop: The value before which to end, as a literal.
        after: Keyset pagination: the first columns that rows are sorted by, with their literals in
            the last row that was read. None stands for null.
        skip: How many of the rows after that row were read, too.
        top: The most rows to send.
        row_filter: A condition of the user, which every row fulfils. It is joined to the other
            conditions with `and`.
        condition: Another condition for rows.
        delta_token: A delta token. Only changes since then are requested.

    Returns:
        The options, encoded: `$select=…&$filter=…&$orderby=…`.
    """
    options = []
    if columns:
        options.append(("$select", ",".join(columns)))
    terms = [
        *_bounds(bounded, start, stop, after),
        *_after([*(after or {}).items()]),
        *([] if condition is None else [condition]),
        *([f"({row_filter})"] if row_filter else []),
    ]
    if terms:
        options.append(("$filter", " and ".join(terms)))
    if order:
        options.append(("$orderby", ",".join(f"{name} asc" for name in order)))
    if skip:
        options.append(("$skip", str(skip)))
    if top is not None:
        options.append(("$top", str(top)))
    texts = [f"{name}={quote(value, safe=SAFE)}" for name, value in options]
    if delta_token is not None:
        # Encoded like in the service's own links.
        texts.append(f"$deltatoken={quote(delta_token, safe='')}")
    return "&".join(texts)


def _bounds(
    name: str | None,
    start: str | int | None,
    stop: str | int | None,
    after: Mapping[str, str | None] | None,
) -> Iterator[str]:
    """Yield the conditions for the bounds of a column."""
    if name is None:
        return
    # The condition for rows after a row begins with the row's own value.
    if start is not None and (after or {}).get(name) is None:
        yield f"{name} ge {start}"
    if stop is not None:
        yield f"{name} lt {stop}"


def _after(row: Sequence[tuple[str, str | None]]) -> Iterator[str]:
    """Yield the conditions for rows after a row, which all must be true.

    Each column decides where those before it are equal. There is no `eq` among the conditions:
    Finance & Operations takes an asterisk after it for a wildcard, and not every database ignores
    blanks at the end of texts. `ge` and `gt` always agree with the order of rows. Nulls come
    first ("OData Version 4.0 Part 1: Protocol", section 11.2.5.2).
    """
    if not row:
        return
    (name, value), *others = row
    beyond = f"{name} ne null" if value is None else f"{name} gt {value}"
    if not others:
        yield beyond
        return
    if value is not None:
        yield f"{name} ge {value}"
    rest = " and ".join(_after(others))
    yield f"({beyond} or {f'({rest})' if ' and ' in rest else rest})"


def max_key(replication_key: str, row_filter: str = "") -> str:
    """Write the query for the greatest value of the replication key.

    Args:
        replication_key: The name of the column.
        row_filter: A condition of the user, which every row fulfils.

    Returns:
        The options, encoded.
    """
    key = quote(replication_key)
    condition = f"&$filter={quote(row_filter, safe=SAFE)}" if row_filter else ""
    return f"$select={key}{condition}&$orderby={key}%20desc&$top=1"


def next_value(column: str, value: str, row_filter: str = "") -> str:
    """Write the query for the next greater value of a column.

    Args:
        column: The name of the column.
        value: The value, as a literal.
        row_filter: A condition of the user, which every row fulfils.

    Returns:
        The options, encoded.
    """
    return build([column], order=[column], after={column: value}, top=1, row_filter=row_filter)
