"""Names of columns in rows, corrected where their case is not that of the catalog.

Metadata and rows of a service may disagree in capital letters. Without a correction such a column
is null in each record, and a key or a replication key is missing.
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

# Rows of a page whose names are looked at, spread evenly over it, where the first lacks columns:
# changes leave out what is null. So many of a table at most.
SAMPLE, MOST = 200, 1_000
CONTEXT = "@odata.context"
WARNING = (
    "Rows of %r have the column %r of the catalog as %r: it is read by that name. Make the catalog "
    "anew with --discover, if the service spells it so in its metadata too."
)

_parts = msgspec.json.Decoder(dict[str, Raw])


class Spelling:
    """Corrects the names of one table's columns, in whichever thread.

    Args:
        stream: Name of the stream.
        columns: Those that are wanted.
        keys: Those of them that tell rows apart.
        known: All that the catalog has.
        notices: What tells of it.
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
        # Where two names of the catalog differ in case alone, rows can't be meant to be corrected.
        names = Counter(name.lower() for name in self._known)
        self._by_lower = {name.lower(): name for name in self._columns if names[name.lower()] == 1}
        # Names in the catalog by those in rows.
        self._corrections: dict[str, str] = {}
        self._left = MOST

    def corrected(self, page: RawPage) -> RawPage:
        """Correct names.

        Args:
            page: The page. Of almost each the first row alone is looked at.

        Returns:
            The page, with rows whose columns are called as in the catalog.

        Raises:
            ServiceError: It is no page of rows.
        """
        with reading():
            for row in self._sample(page):
                self._learn(row)
            if not self._corrections:
                return page
            return replace(page, rows=[self._rewritten(row) for row in page.rows])

    def _sample(self, page: RawPage) -> Iterator[Mapping[str, Raw]]:
        """Yield the first row, and some others if they may tell more."""
        step = 1 + len(page.rows) // SAMPLE
        for row in chain(page.rows[:1], page.rows[step::step]):
            parts = _parts.decode(row)
            yield parts
            if parts.keys() >= self._columns or self._left <= 0:
                return
            # Rows of the key alone tell nothing, and take next to no time.
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
        """Correct a name, or that of an annotation."""
        column, at, annotation = name.partition("@")
        return f"{self._corrections.get(column, column)}{at}{annotation}"


def _columns(row: Mapping[str, Raw]) -> set[str]:
    """Name the columns of a row, those too of which it has annotations alone."""
    return {name.partition("@")[0] for name in row} - {""}


def _is_deleted(row: Mapping[str, Raw]) -> bool:
    """Tell whether it stands for a row that is no more, and has no columns."""
    return CONTEXT in row and DELETED.encode() in bytes(row[CONTEXT])
