"""Where a page begins and ends, by the values that its rows are sorted by.

A next link belongs to one query and to pages of one size. By values one goes on with pages of
another size, or with several at once: the rows behind are those that are greater.
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

# Written in a filter as they are; all other text is between quotation marks ("OData Version 4.0
# Part 2: URL Conventions", section 5.1.1.6.1).
BARE = {"uuid", "date-time", "date", "time"}
# By a lookup the service sorts in the order of the names that it leads to, not of its values:
# https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/order-rows
LOOKUP = re.compile(r"_\w+_value")
# What is cut off a page is fetched again.
MIN_PAGE_SHARE = 0.8


class Keyset:
    """Reads off a row the values by which rows are sorted.

    Args:
        key: The replication key.
        ids: Columns that tell apart rows which share its value.
        columns: JSON Schema of each column.
        partition: The column that names a row's partition; it may be null.
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
            row: Its text.

        Returns:
            The value.

        Raises:
            msgspec.DecodeError: It is no row, or no such value.
        """
        value: Value = self._only_key.decode(row).value
        return value

    def place(self, page: RawPage) -> RawPage:
        """Tell where a page begins and ends.

        Args:
            page: The page.

        Returns:
            The page with that.

        Raises:
            ServiceError: It is no page of rows.
        """
        rows = page.rows
        if not rows:
            return page
        with reading():
            first, last = self.value(rows[0]), self.value(rows[-1])
            return replace(page, first=first, last=last, end=self.end(rows))

    def cut_off(self, page: RawPage) -> RawPage | None:
        """Leave out the rows that share the last value of the replication key.

        The rows from there on can then be asked for by that value, side by side, instead of by
        the link.

        Args:
            page: The page, with where it ends.

        Returns:
            The page without them; None if it is the last, or not much would be left of it.

        Raises:
            ServiceError: It is no page of rows.
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
        """Tell where a page ends.

        Args:
            rows: Its rows.

        Returns:
            Each of the columns with its literal in the last row, the replication key first; those
            that may be null with None for it. None if the rows behind can't be asked for so.
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
    """Write a value as a filter has it.

    Args:
        text: The value in JSON.
        column: JSON Schema of its column.

    Returns:
        The literal; None for null, and for what can't be compared.
    """
    if text == b"null" or text[:1] in {b"[", b"{"}:
        return None
    if text[:1] != b'"':
        return text.decode()
    value = msgspec.json.decode(text, type=str)
    if format_of(column) in BARE:
        return value
    return query.literal(value)
