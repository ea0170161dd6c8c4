"""Spelling: maps column names in rows to the catalog's names, case-insensitive.

Metadata and rows of a service may spell a name with different capital letters. Without the mapping,
such a column is null in all records, and a key or replication key is missing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from tap_dynamics365.odata.delta import DELETED
from tap_dynamics365.odata.page import reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tap_dynamics365.extract.notices import Notices
    from tap_dynamics365.odata.page import RawPage

# How many rows of a page, and of a table, are checked if the first row of a page lacks columns
# (pages of changes leave out nulls). They are spread evenly over the page.
SAMPLE, MOST = 200, 1_000
CONTEXT = "@odata.context"
WARNING = (
    "Rows of %r spell the column %r of the catalog as %r. It is read by that name. If the metadata "
    "of the service has that spelling too, run --discover again."
)

_parts = msgspec.json.Decoder(dict[str, Raw])


class Spelling:
    """Corrects the column names in rows of one table, in any thread.

    Args:
        stream: The name of the stream.
        columns: The requested columns.
        keys: The columns that identify a row.
        known: All columns of the catalog.
        notices: Logs the corrections.
    """

    def __init__(
        self,
        stream: str,
        columns: Collection[str],
        keys: Collection[str],
        known: Collection[str],
        notices: Notices,
    ) -> None:
        self._stream = stream
        self._columns = frozenset(columns)
        self._keys = frozenset(keys)
        self._known = frozenset(known)
        self._notices = notices
        # Names that differ only in case are not corrected.
        names = Counter(name.lower() for name in self._known)
        self._by_lower = {name.lower(): name for name in self._columns if names[name.lower()] == 1}
        # Names in the catalog, by names in rows.
        self._corrections: dict[str, str] = {}
        self._left = MOST

    def corrected(self, page: RawPage) -> RawPage:
        """Correct the column names of a page.

        Args:
            page: The page. Usually, only its first row is checked.

        Returns:
            The page, with the catalog's column names.

        Raises:
            ServiceError: It is not a page of rows.
        """
        with reading():
            for row in self._sample(page):
                self._learn(row)
            if not self._corrections:
                return page
            return replace(page, rows=[self._rewritten(row) for row in page.rows])

    def _sample(self, page: RawPage) -> Iterator[Mapping[str, Raw]]:
        """Yield the first row, and a sample of the others if the first one lacks columns."""
        step = 1 + len(page.rows) // SAMPLE
        for row in chain(page.rows[:1], page.rows[step::step]):
            parts = _parts.decode(row)
            yield parts
            if parts.keys() >= self._columns or self._left <= 0:
                return
            # Rows that have only the key don't count: they are cheap, and useless as a sample.
            self._left -= not self._keys.issuperset(_columns(parts))

    def _learn(self, row: Mapping[str, Raw]) -> None:
        if _is_deleted(row):
            return
        for name in row.keys() - self._known:
            column = self._by_lower.get(name.lower())
            if column is not None and column not in row:
                self._corrections[name] = column
                self._notices.warn(WARNING, self._stream, column, name)

    def _rewritten(self, row: Raw) -> Raw:
        parts = _parts.decode(row)
        if _is_deleted(parts) or self._corrections.keys().isdisjoint(_columns(parts)):
            return row
        return Raw(msgspec.json.encode({self._name(name): part for name, part in parts.items()}))

    def _name(self, name: str) -> str:
        """Correct the name of a column or an annotation."""
        column, at, annotation = name.partition("@")
        return f"{self._corrections.get(column, column)}{at}{annotation}"


def _columns(row: Mapping[str, Raw]) -> set[str]:
    """Return the columns of a row, also those of which it has only annotations."""
    return {name.partition("@")[0] for name in row} - {""}


def _is_deleted(row: Mapping[str, Raw]) -> bool:
    """Tell whether the entry stands for a deleted row, which has no columns."""
    return CONTEXT in row and DELETED.encode() in bytes(row[CONTEXT])
