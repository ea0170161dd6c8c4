"""Keyset pagination: continues after a row by the values that rows are sorted by.

A next link belongs to one query and one page size. With the values of the last row, reading can
continue with pages of another size, or with several requests in parallel.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from tap_dynamics365.odata import query
from tap_dynamics365.odata.page import reading
from tap_dynamics365.odata.row_types import NULL, format_of, only

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
        key: The replication key.
        ids: The columns that identify a row.
        columns: The JSON Schema of each column.
        partition: The column that names a row's partition. It may be null.
    """

    def __init__(
        self, key: str, ids: Sequence[str], columns: Mapping[str, Any], partition: str = ""
    ) -> None:
        self._key = key
        self._nullable = {key, partition}
        self._only_key = only(key)
        self._columns = {name: columns.get(name, {}) for name in dict.fromkeys((key, *ids))}
        self._is_ordered = bool(ids) and not any(map(LOOKUP.fullmatch, ids))
        self._row = msgspec.json.Decoder(
            msgspec.defstruct(
                "Ends",
                [
                    (f"c{i}", Raw, msgspec.field(default=NULL, name=name))
                    for i, name in enumerate(self._columns)
                ],
            )
        )

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
        rows = page.rows
        if not rows:
            return page
        with reading():
            first, last = self.value(rows[0]), self.value(rows[-1])
            return replace(page, first=first, last=last, end=self.end(rows))

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
