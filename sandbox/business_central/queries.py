"""Query options of a URL, and the options within `$expand`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.business_central import errors
from sandbox.faults.errors import unknown_property
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
    from collections.abc import Mapping

    from sandbox.business_central.csdl import Api, Navigation, Shape
    from sandbox.data.model import Column
    from sandbox.query.filters import Expression
    from sandbox.query.option_values import OrderBy

KNOWN = frozenset(
    {
        *("$select", "$filter", "$orderby", "$top", "$skip", "$count", "$expand", "$skiptoken"),
        *("$schemaversion", "$format"),
    }
)
WITHIN = frozenset({"$select", "$filter", "$expand"})
IN_LISTS = "2.1"
_TEXT = r"'(?:[^']|'')*'"
_IN = re.compile(rf"({_TEXT})|\b([\w/]+)\s+in\s*\(((?:{_TEXT}|[^()'])*)\)")
_LAMBDA = re.compile(rf"{_TEXT}|(/(?:any|all)\()")
_NESTED = re.compile(rf"{_TEXT}|(\b(?:contains|startswith|endswith)\s*\(\s*\w+\s*\()")
_ITEM = re.compile(rf"{_TEXT}|[^,']+")
_NOT_SUPPORTED = "The OData filter expression is not supported."


@dataclass(frozen=True)
class Query:
    """Query of an entity set.

    Attributes:
        select: Columns to return, in the order of the document. Empty returns all columns.
        filter: Condition of the rows.
        order: Columns to sort by.
        expand: Queries by navigation property.
        top: Largest number of rows.
        skip: Number of rows to leave out.
        count: Whether the number of rows is asked for.
        skip_token: Key of the last row of the page before, or an empty string.
        given: All options, decoded.
    """

    select: tuple[Column, ...]
    filter: Expression | None
    order: tuple[OrderBy, ...]
    expand: tuple[tuple[Navigation, Shape, Query], ...]
    top: int | None
    skip: int
    count: bool
    skip_token: str
    given: dict[str, str]

    def onward(self, rows: int, token: str, added: Mapping[str, str]) -> str:
        """Return the query string that continues after a page.

        Args:
            rows: Number of rows of the page.
            token: Key of the last row.
            added: Options that the service adds.
        """
        dropped = {"$skip", "$top", "$skiptoken", *added}
        kept = {k: v for k, v in self.given.items() if k not in dropped}
        if self.top is not None:
            kept["$top"] = str(self.top - rows)
        kept |= {**added, "$skiptoken": token}
        return in_link(kept)


def read(raw: str, api: Api, shape: Shape) -> Query:
    """Parse a query string and check it against the entity set.

    Args:
        raw: The query string.
        api: The API.
        shape: The entity set.

    Raises:
        ServiceError: The query is invalid.
    """
    return parse(options(raw), api, shape)


def parse(given: dict[str, str], api: Api, shape: Shape) -> Query:
    """Check decoded options against the entity set.

    Raises:
        ServiceError: The query is invalid.
    """
    check_known(given, KNOWN)
    text = filter_text(given)
    return Query(
        select=_select(given.get("$select"), api, shape),
        filter=_filter(text, given.get("$schemaversion", "")) if text else None,
        order=_order(given.get("$orderby", ""), api, shape),
        expand=_expand(given.get("$expand", ""), api, shape),
        top=number("$top", given.get("$top")),
        skip=number("$skip", given.get("$skip")) or 0,
        count=given.get("$count", "").lower() == "true",
        skip_token=given.get("$skiptoken", ""),
        given=given,
    )


def column_of(name: str, api: Api, shape: Shape) -> Column:
    """Return the column with a name; names are case-insensitive.

    Raises:
        ServiceError: There is no such column.
    """
    for column in shape.table.columns:
        if column.property_name.lower() == name.lower() and not name.startswith("$"):
            return column
    raise unknown_property(name, f"{api.namespace}.{shape.table.schema_name}")


def _select(text: str | None, api: Api, shape: Shape) -> tuple[Column, ...]:
    if text is None:
        return ()
    chosen = set()
    for name in (each.strip() for each in text.split(",")):
        if name == "*":
            return ()
        if name in shape.navigations:
            # Columns after a navigation property are dropped.
            break
        if name:
            chosen.add(column_of(name, api, shape))
    if not chosen and not text.strip():
        raise empty(name="$select")
    return tuple(column for column in shape.shown if column in chosen)


def _filter(text: str, schema_version: str) -> Expression | None:
    if any(match[1] for match in _LAMBDA.finditer(text)):
        # A filter with a lambda is ignored as a whole.
        return None
    if any(match[1] for match in _NESTED.finditer(text)):
        raise errors.not_implemented(_NOT_SUPPORTED)
    if any(match[2] for match in _IN.finditer(text)):
        if schema_version != IN_LISTS:
            raise errors.not_implemented(_NOT_SUPPORTED)
        text = _IN.sub(_as_equalities, text)
    return filters.parse(text)


def _as_equalities(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    items = [each.strip() for each in _ITEM.findall(match[3]) if each.strip()]
    return "(" + " or ".join(f"{match[2]} eq {item}" for item in items) + ")"


def _order(text: str, api: Api, shape: Shape) -> tuple[OrderBy, ...]:
    found = tuple(order_by(text, lambda name: column_of(name, api, shape)))
    natural = [(name, False) for name in shape.key]
    asked = [(part.column.property_name, part.descending) for part in found]
    if found and (shape.is_query or not shape.is_sortable) and asked != natural:
        message = "The $orderby query option is not supported on this entity."
        raise errors.not_implemented(message)
    return found


def _expand(text: str, api: Api, shape: Shape) -> tuple[tuple[Navigation, Shape, Query], ...]:
    found = []
    for part in split(text, ","):
        name, _, rest = part.partition("(")
        navigation = shape.navigations.get(name.strip())
        target = api.of_type(navigation.target) if navigation else None
        if navigation is None or target is None or not navigation.pairs:
            type_name = f"{api.namespace}.{shape.table.schema_name}"
            raise unknown_property(name.strip(), type_name)
        inner = {
            key.strip(): value
            for key, _, value in (
                each.partition("=") for each in split(rest.rstrip().removesuffix(")"), ";")
            )
        }
        if unknown := inner.keys() - WITHIN:
            message = f"The query parameter '{min(unknown)}' is not supported within $expand."
            raise errors.bad_query(message)
        found.append((navigation, target, parse(inner, api, target)))
    return tuple(found)


def split(text: str, mark: str) -> list[str]:
    """Split a text at a mark outside of brackets and quotes.

    Args:
        text: The text.
        mark: One character.
    """
    parts, depth, is_quoted = [""], 0, False
    for character in text:
        if character == "'":
            is_quoted = not is_quoted
        elif not is_quoted:
            depth += {"(": 1, ")": -1}.get(character, 0)
        if character == mark and not depth and not is_quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]
