"""What to ask the service for: query options of OData, as text.

"OData Version 4.0 Part 2: URL Conventions", section 5.1; what Dataverse understands of it:
https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# An address may have 32,768 characters; the service's token for a next page takes some thousands.
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview
LONGEST_URL = 32_768 - 4_096
# May stand in a query as they are; everything else is percent-encoded, the blank as %20, for some
# services take a plus sign at its word.
SAFE = "$,:()'/@-._~"


def instant(moment: datetime) -> str:
    """Write a moment as a literal.

    Args:
        moment: With a time zone.

    Returns:
        The moment in UTC, with fractions of a second only where it has them.
    """
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def literal(text: str) -> str:
    """Write a text as a literal (OData URL Conventions 4.01, section 5.1.1.14.1).

    Args:
        text: The text, not encoded for an address.
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
        columns: Names of those to ask for; all of the table's if empty.
        key: Columns that tell rows apart. Rows that share a value of the replication key are
            sorted by them, for the service may otherwise repeat or skip rows between pages.
        replication_key: The column to sort by, if the order matters.
        start: The smallest value of the replication key to ask for, as a literal.
        stop: The value before which to end, as a literal.
        after: The columns that rows are sorted by, each with its literal in the last row that was
            read, if those behind it are asked for: None stands for null.
        empty: A column: asks for the rows without a value of it, in no order.
        delta_token: Asks for the changes since it was given, instead of all rows.

    Returns:
        The options, encoded: `$select=…&$filter=…&$orderby=…`.
    """
    options = []
    if columns:
        options.append(("$select", ",".join(columns)))
    if replication_key is not None:
        if after is not None and after[replication_key] is not None:
            # Follows from what is added below, but an index serves it.
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
        # As the service writes it in its links: with nothing but letters and digits as they are.
        texts.append(f"$deltatoken={quote(delta_token, safe='')}")
    return "&".join(texts)


def _greater(row: Sequence[tuple[str, str | None]]) -> str:
    """Write the condition for rows behind one, from the replication key on.

    Rows without a value of a column come first ("OData Version 4.0 Part 1: Protocol", section
    11.2.5.2).
    """
    (key, value), *ids = row
    terms = [_beyond(key, value)]
    # What comes before is at least equal here; further ids count where the first ones are equal.
    for position, (name, value) in enumerate(ids):
        equal = [f"{other} eq {same or 'null'}" for other, same in ids[:position]]
        terms.append(" and ".join([*equal, _beyond(name, value)]))
    return " or ".join(f"({term})" if " and " in term else term for term in terms)


def _beyond(name: str, value: str | None) -> str:
    return f"{name} ne null" if value is None else f"{name} gt {value}"


def greatest(replication_key: str) -> str:
    """Write the query for the greatest value of the replication key.

    Args:
        replication_key: Name of the column.

    Returns:
        The options, encoded.
    """
    return f"$select={quote(replication_key)}&$orderby={quote(replication_key)}%20desc&$top=1"
