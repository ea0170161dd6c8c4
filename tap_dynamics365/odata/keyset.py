"""Keyset pagination: continues after a row by the values that rows are sorted by.

A next link belongs to one query and one page size. With the values of the last row, reading can
continue with pages of another size, or with several requests in parallel.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from tap_dynamics365.odata import query
from tap_dynamics365.odata.page import reading
from tap_dynamics365.odata.row_types import NULL, format_of, kinds, only

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_dynamics365.odata.page import RawPage, Value

# Formats whose literals have no quotation marks ("OData Version 4.0 Part 2: URL Conventions",
# section 5.1.1.6.1).
BARE = {"uuid", "date-time", "date", "time"}
# Dataverse sorts lookups by the names of the rows that they refer to, not by their values:
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/order-rows
LOOKUP = re.compile(r"_\w+_value")
# The smallest part of a page to keep: the rest is fetched again.
MIN_PAGE_SHARE = 0.8


class Keyset:
    """Reads the values by which rows are sorted.

    Args:
        key: The replication key, if rows are sorted by it first.
        ids: The columns that identify a row.
        columns: The JSON Schema of each column.
        partition: The column that names a row's partition. It may be null.
        replaces_links: Whether reading continues by key values after every page, because the
            service's links count rows. Columns that can't be compared are the last in the order.
            Where rows differ only in these, pages are cut between two values of the others.

    Attributes:
        order: The columns to sort rows by.
        replaces_links: As given.
    """

    def __init__(
        self,
        key: str | None,
        ids: Sequence[str],
        columns: Mapping[str, Any],
        partition: str = "",
        *,
        replaces_links: bool = False,
    ) -> None:
        self._key = key
        self._nullable = {key, partition}
        self.replaces_links = replaces_links
        self._only_key = only(key or "")
        if replaces_links:
            ids = sorted(ids, key=lambda name: not is_comparable(columns.get(name, {})))
        self.order = tuple(dict.fromkeys(filter(None, (key, *ids))))
        usable = [
            name
            for name in self.order
            if not replaces_links or name == key or is_comparable(columns.get(name, {}))
        ]
        self._columns = {name: columns.get(name, {}) for name in usable}
        self._is_ordered = bool(ids and usable) and not any(map(LOOKUP.fullmatch, ids))
        self._identifies = len(usable) == len(self.order)
        self._row = msgspec.json.Decoder(
            msgspec.defstruct(
                "Ends",
                [
                    (f"c{i}", Raw, msgspec.field(default=NULL, name=name))
                    for i, name in enumerate(self._columns)
                ],
            )
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns by whose values reading continues; empty if it can't."""
        return tuple(self._columns) if self._is_ordered else ()

    def value(self, row: Raw) -> Value:
        """Read the replication key of a row.

        Args:
            row: The JSON text of the row.

        Returns:
            The value.

        Raises:
            msgspec.DecodeError: The text is not a row, or the value is of another type.
        """
        value: Value = self._only_key.decode(row).value
        return value

    def locate(self, page: RawPage) -> RawPage:
        """Read the key values of the first and last row of a page.

        Args:
            page: The page.

        Returns:
            The page with these values.

        Raises:
            ServiceError: It is not a page of rows.
        """
        if not page.rows:
            return page
        with reading():
            if self.replaces_links and not page.is_last:
                page = self._without_link(page)
            rows = page.rows
            if self._key is not None:
                page = replace(page, first=self.value(rows[0]), last=self.value(rows[-1]))
            return page if page.group_rows else replace(page, end=self.end(rows))

    def _without_link(self, page: RawPage) -> RawPage:
        """Prepare a page after which reading continues by key values instead of by the link."""
        rows = page.rows
        if self._identifies:
            # Where a value is null, the link is all there is.
            return page if self.end(rows) is None else replace(page, next_link=None, more=True)
        group = self._group(rows[-1])
        for index in range(len(rows) - 1, 0, -1):
            if self._group(rows[index - 1]) != group:
                return replace(page, rows=rows[:index], next_link=None, more=True)
        return replace(page, group_rows=len(rows), next_link=None, more=True)

    def shared_value(self, page: RawPage) -> str | None:
        """Return the value that all rows of a page share in the first column of the order.

        Args:
            page: The page.

        Returns:
            The value as a literal; None if there are no rows, or if they differ.
        """
        column = next(iter(self.columns), "")
        with reading():
            first, last = (
                (self.end(rows) or {}).get(column) for rows in (page.rows[:1], page.rows)
            )
        return first if first == last else None

    def _group(self, row: Raw) -> list[Any]:
        """Return the values that rows may share, equal where the service may take them for equal.

        Databases ignore case, accents, width, or blanks at the end, depending on their collation.
        """
        values = map(msgspec.json.decode, msgspec.structs.astuple(self._row.decode(row)))
        return [folded(value) if isinstance(value, str) else value for value in values]

    def cut_off(self, page: RawPage) -> RawPage | None:
        """Cut off the rows that share the last value of the replication key.

        The following rows can then be requested by that value, in parallel, instead of by the link.

        Args:
            page: The page, with its key values.

        Returns:
            The page without these rows; None if it is the last page, or if too few rows are left.

        Raises:
            ServiceError: It is not a page of rows.
        """
        if page.is_last or page.last is None:
            return None
        rows = page.rows
        with reading():
            for index in range(len(rows) - 1, int(MIN_PAGE_SHARE * len(rows)) - 1, -1):
                if (value := self.value(rows[index])) != page.last:
                    kept = rows[: index + 1]
                    return replace(
                        page, rows=kept, last=value, next_link=None, more=False, cut=page.last
                    )
        return None

    def end(self, rows: Sequence[Raw]) -> dict[str, str | None] | None:
        """Return the key values of the last row of a page.

        Args:
            rows: The rows of the page.

        Returns:
            The literals by column, the replication key first; None stands for null. None instead
            of a mapping if the next rows can't be requested by these values.
        """
        if not rows or not self._is_ordered:
            return None
        values = msgspec.structs.astuple(self._row.decode(rows[-1]))
        end = {
            name: literal(bytes(value), column)
            for (name, column), value in zip(self._columns.items(), values, strict=True)
        }
        known = all(value is not None for name, value in end.items() if name not in self._nullable)
        return end if known else None


def folded(text: str) -> str:
    """Return a text that is the same for all texts that a database may take for equal.

    Args:
        text: The text.
    """
    letters = unicodedata.normalize("NFKD", text).casefold()
    return "".join(
        letter for letter in letters if not unicodedata.combining(letter) and not letter.isspace()
    )


def is_comparable(column: Mapping[str, Any]) -> bool:
    """Tell whether a filter can compare the values of a key column by `gt`.

    Members of an enumeration have no order in OData, and neither have booleans. In a key, only an
    enumeration may be null.

    Args:
        column: The JSON Schema of the column.
    """
    return is_sortable(column) and kinds(column).isdisjoint({"boolean", "null"})


def is_sortable(column: Mapping[str, Any]) -> bool:
    """Tell whether a service can sort rows by a column.

    Args:
        column: The JSON Schema of the column.
    """
    return kinds(column).isdisjoint({"array", "object"}) and "contentEncoding" not in column


def literal(text: bytes, column: Mapping[str, Any]) -> str | None:
    """Write a value as a literal of a filter.

    Args:
        text: The value in JSON.
        column: The JSON Schema of the column.

    Returns:
        The literal; None for null, objects and arrays.
    """
    if text == b"null" or text[:1] in {b"[", b"{"}:
        return None
    if text[:1] != b'"':
        return text.decode()
    value = msgspec.json.decode(text, type=str)
    if format_of(column) in BARE:
        return value
    return query.literal(value)
