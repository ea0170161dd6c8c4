"""Table state: one table's entry in the state; each change is one assignment.

A signal can end a run between any two steps of the interpreter. The state at that moment is the
last one that is written. Therefore attributes that belong together always change together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.odata.page import Value


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A table's entry in the state.

    Attributes:
        replication_key: The column of the bookmark. Together with a delta token, it means that a
            first load is in progress.
        replication_key_value: The bookmark: every row up to this value was sent. None before the
            first row.
        replication_key_overlap: Where the next run begins if the key is a whole number: the
            bookmark at the start of the last complete run. Rows committed since then have greater
            values. A number can't be converted to a time, so the lookback can't be used.
        replication_key_began: The bookmark at the start of a run that was stopped. The next run
            continues where that run ended.
        replication_key_nulls: Whether there are rows without a value of the key; None if unknown.
        replication_key_unsorted: The replication key, if the service was seen to send rows out of
            its order.
        full_table: FULL_TABLE: what an interrupted read has not sent; see `Interrupted`.
        delta_token: The delta token that change tracking continues from.
        version: The table version of the rows in the target.
        metadata_version: The version of the service's data model.
        filter_digest: The digest of the user's filter that the rows were read with; None without a
            filter.
        coverage: The widest coverage that was read of the table; see `Coverage`.
        replication_key_coverage: The coverage of the run that set the bookmark.
    """

    replication_key: str | None = None
    replication_key_value: Value = None
    # None is a value of both: the beginning of the table.
    replication_key_overlap: Value | UnsetType = UNSET
    replication_key_began: Value | UnsetType = UNSET
    replication_key_nulls: bool | None = None
    replication_key_unsorted: str | None = None
    full_table: Mapping[str, Any] | None = None
    delta_token: str | None = None
    version: int | None = None
    metadata_version: Value = None
    filter_digest: str | None = None
    coverage: str | None = None
    replication_key_coverage: str | None = None


NAMES: Final = frozenset(Entry.__struct_fields__)
#: Attributes for which null is a value.
NULLABLE: Final = frozenset({"replication_key_overlap", "replication_key_began"})
#: Values that remove the bookmark.
NO_BOOKMARK: Final[dict[str, Any]] = {
    "replication_key": None,
    "replication_key_value": None,
    "replication_key_overlap": UNSET,
    "replication_key_began": UNSET,
    "replication_key_nulls": None,
}
#: Values after which the table is read from its beginning.
NOTHING_READ: Final[dict[str, Any]] = {
    **NO_BOOKMARK,
    "full_table": None,
    "delta_token": None,
}


class TableState:
    """Owns a table's entry in the state.

    The entry is read again each time, because the SDK removes its own markers from it in place.

    Args:
        state: The state of the run, as the SDK keeps it.
        stream: The name of the table's stream.
    """

    def __init__(self, state: dict[str, Any], stream: str) -> None:
        self._state = state
        self._stream = stream

    @property
    def entry(self) -> Entry:
        """The entry. Null means the same as a missing value, except for `NULLABLE` attributes."""
        return Entry(**{name: value for name, value in self._content.items() if name in NAMES})

    @property
    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = self._state.get("bookmarks", {}).get(self._stream, {})
        return content

    def change(self, **values: Any) -> None:
        """Change attributes of the entry in one assignment.

        Args:
            **values: New values by attribute. Other attributes stay the same.
        """
        others = {name: value for name, value in self._content.items() if name not in NAMES}
        entry = {**others, **msgspec.to_builtins(replace(self.entry, **values))}
        # Not before: a state without entries is not written.
        self._state.setdefault("bookmarks", {})[self._stream] = entry
