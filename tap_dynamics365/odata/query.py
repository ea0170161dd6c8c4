"""Query: writes the query options of OData ($select, $filter, $orderby).

"OData Version 4.0 Part 2: URL Conventions", section 5.1; what Dataverse supports:
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    key: Sequence[str] = (),
    replication_key: str | None = None,
    start: str | int | None = None,
    stop: str | int | None = None,
    after: Mapping[str, str | None] | None = None,
    empty: str | None = None,
    delta_token: str | None = None,
) -> str:
    """Write the query for rows of one table.

    Args:
        columns: The columns to request; all columns if empty.
        key: The columns that identify a row. Rows with the same replication key are sorted by
            them. Otherwise the service may repeat or skip rows between pages.
        replication_key: The column to sort by, if the order matters.
        start: The smallest value of the replication key, as a literal.
        stop: The value before which to end, as a literal.
        after: Keyset pagination: the columns that rows are sorted by, with their literals in the
            last row that was read. None stands for null.
        empty: A column. Only rows without a value of it are requested, in no order.
        delta_token: A delta token. Only changes since then are requested.

    Returns:
        The options, encoded: `$select=…&$filter=…&$orderby=…`.
    """
    options = []
    if columns:
        options.append(("$select", ",".join(columns)))
    if replication_key is not None:
        if after is not None and after[replication_key] is not None:
            # This follows from the condition below, but the database can use an index for it.
            start = after[replication_key]
        bounds = (("ge", start), ("lt", stop))
        terms = [f"{replication_key} {op} {value}" for op, value in bounds if value is not None]
        if after is not None:
            terms.append(f"({_greater([*after.items()])})")
        if terms:
            options.append(("$filter", " and ".join(terms)))
        order = dict.fromkeys((replication_key, *key))
        options.append(("$orderby", ",".join(f"{name} asc" for name in order)))
    if empty is not None:
        options.append(("$filter", f"{empty} eq null"))
    texts = [f"{name}={quote(value, safe=SAFE)}" for name, value in options]
    if delta_token is not None:
        # Encoded like in the service's own links.
        texts.append(f"$deltatoken={quote(delta_token, safe='')}")
    return "&".join(texts)


def _greater(row: Sequence[tuple[str, str | None]]) -> str:
    """Write the condition for rows after a row.

    Nulls come first ("OData Version 4.0 Part 1: Protocol", section 11.2.5.2).
    """
    (key, value), *ids = row
    terms = [_beyond(key, value)]
    # Each further column decides only where all columns before it are equal.
    for position, (name, value) in enumerate(ids):
        equal = [f"{other} eq {same or 'null'}" for other, same in ids[:position]]
        terms.append(" and ".join([*equal, _beyond(name, value)]))
    return " or ".join(f"({term})" if " and " in term else term for term in terms)


def _beyond(name: str, value: str | None) -> str:
    return f"{name} ne null" if value is None else f"{name} gt {value}"


def max_key(replication_key: str) -> str:
    """Write the query for the greatest value of the replication key.

    Args:
        replication_key: The name of the column.

    Returns:
        The options, encoded.
    """
    return f"$select={quote(replication_key)}&$orderby={quote(replication_key)}%20desc&$top=1"
