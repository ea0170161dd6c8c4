"""Keys in URLs: `(dataAreaId='usmf',CustomerAccount='C-1')`, or a value alone for a single key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sandbox.finance_operations.errors import bad_query
from sandbox.query import filters
from sandbox.query.filters import Both, Comparison, Literal, Path

if TYPE_CHECKING:
    from sandbox.data.model import Table
    from sandbox.query.filters import Expression

# A comma outside of quotes.
_COMMA = re.compile(r",(?=(?:[^']*'[^']*')*[^']*$)")


def parse_key(table: Table, text: str) -> Expression:
    """Return the condition for the row with a key.

    Args:
        table: The table.
        text: The key without its parentheses.

    Raises:
        ServiceError: The text is not a key of the table.
    """
    parts: dict[str, str] = {}
    for part in _COMMA.split(text):
        name, equals, value = part.partition("=")
        if equals and "'" not in name:
            parts[name.strip()] = value.strip()
        elif len(table.key) == 1:
            parts[table.key[0]] = part.strip()
    if parts.keys() != set(table.key):
        message = "The number of keys specified in the URI does not match number of key properties."
        raise bad_query(message)
    found: Expression | None = None
    for name, value in parts.items():
        each = _exactly(filters.parse(f"{name} eq {value}"))
        found = Both("and", found, each) if found else each
    assert found  # noqa: S101  - a key has a column
    return found


def _exactly(tree: Expression) -> Expression:
    """Return a comparison in which `*` is no wildcard."""
    match tree:
        case Comparison("eq", Path() as path, Literal("string", text)) if "*" in text:
            literal = Literal("string", text)
            return Both("and", Comparison("ge", path, literal), Comparison("le", path, literal))
        case Comparison("eq", Path(), Literal()):
            return tree
        case _:
            message = "Bad Request - Error in query syntax."
            raise bad_query(message)
