"""Values of the query options of a URL, as the OData libraries of the services read them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote

from sandbox.faults.errors import bad_query

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from sandbox.data.model import Column

DIRECTIONS = frozenset({"asc", "desc"})


class OrderBy(NamedTuple):
    """One column to sort by."""

    column: Column
    descending: bool


def options(raw: str) -> dict[str, str]:
    """Decode the options of a query string."""
    return dict(_options(raw))


@lru_cache(maxsize=64)
def _options(raw: str) -> list[tuple[str, str]]:
    # A request needs its options several times.
    return parse_qsl(raw, keep_blank_values=True)


def in_link(given: Mapping[str, str]) -> str:
    """Return options as next links by position or by key have them."""
    return "&".join(f"{quote(k, safe='$')}={quote(v, safe='')}" for k, v in given.items())


def check_known(given: Collection[str], known: Collection[str]) -> None:
    """Refuse options that the service does not know; names without `$` are ignored.

    Args:
        given: Names of the options.
        known: Names of those that the service knows.

    Raises:
        ServiceError: There is an unknown one.
    """
    for name in given:
        if name.startswith("$") and name not in known:
            message = f"The query parameter '{name}' is not supported."
            raise bad_query(message)


def filter_text(given: Mapping[str, str]) -> str:
    """Return the filter, or an empty text.

    Raises:
        ServiceError: The filter is given and empty.
    """
    text = given.get("$filter", "")
    if "$filter" in given and not text.strip():
        raise empty(name="$filter")
    return text


def order_by(text: str, column_of: Callable[[str], Column]) -> Iterator[OrderBy]:
    """Yield the columns to sort by.

    Args:
        text: Value of `$orderby`.
        column_of: Returns the column with a name.

    Raises:
        ServiceError: The value is invalid.
    """
    for part in text.split(",") if text.strip() else ():
        words = part.split()
        direction = words[1:] or ["asc"]
        if not words or len(direction) > 1 or direction[0] not in DIRECTIONS:
            message = f"Syntax error at position {len(part)} in '{text}'."
            raise bad_query(message)
        yield OrderBy(column_of(words[0]), direction[0] == "desc")


def number(name: str, text: str | None) -> int | None:
    """Return the value of an option that is a number, or None without it.

    Args:
        name: Name of the option.
        text: Its value.

    Raises:
        ServiceError: The value is not a number.
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        message = (
            f"Invalid value '{text}' for {name} query option found. The {name} query option "
            "requires a non-negative integer value."
        )
        raise bad_query(message)
    return int(text)


def empty(name: str) -> Exception:
    """Return the error for an option without a value."""
    return bad_query(f"The value for OData query '{name}' cannot be empty.")
