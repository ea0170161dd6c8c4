"""Table state: one table's entry in the state; each change is one assignment.

A signal can end a run between any two steps of the interpreter. The state at that moment is the
last one that is written. Therefore attributes that belong together always change together.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        window: INCREMENTAL: what an interrupted read in any order has not sent; see `Window`.
        sorting_timed_out: The replication key, if a read sorted by it took too long, so that rows
            are read in any order.
        unread_parents: The parents whose rows could not be read: path and id of each, `*` for all.
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
    window: Mapping[str, Any] | None = None
    sorting_timed_out: str | None = None
    unread_parents: Sequence[tuple[str, str]] | None = None
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
    "window": None,
    "unread_parents": None,
    "delta_token": None,
}
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def without_nulls(state: dict[str, Any]) -> dict[str, Any]:
    """Remove nulls that mean the same as a missing value.

    Args:
        state: A state.

    Returns:
        The state without these nulls.
    """
    return {
        **state,
        "bookmarks": {
            stream: {
                key: value
                for key, value in (bookmark or {}).items()
                if value is not None or key in NULLABLE
            }
            for stream, bookmark in (state.get("bookmarks") or {}).items()
        },
    }


class TableState:
    """Owns a table's entry in the state, or the entry of one part of it.

    The entry is read again each time, because the SDK removes its own markers from it in place.

    Args:
        state: The state of the run, as the SDK keeps it.
        stream: The name of the table's stream.
        context: The part, as a Singer partition names it; None for the table itself.
    """

    def __init__(
        self, state: dict[str, Any], stream: str, context: Mapping[str, str] | None = None
    ) -> None:
        self._state = state
        self._stream = stream
        self._context = context

    @property
    def entry(self) -> Entry:
        """The entry. Null means the same as a missing value, except for `NULLABLE` attributes."""
        return _entry(self._content)

    @property
    def parts(self) -> list[Entry]:
        """The entries of all parts of the table."""
        return [_entry(part) for part in self._partitions]

    @property
    def contexts(self) -> list[Mapping[str, str]]:
        """The parts that have an entry, as Singer partitions name them."""
        return [part.get("context") or {} for part in self._partitions]

    @property
    def _bookmark(self) -> Mapping[str, Any]:
        bookmark: dict[str, Any] = self._state.get("bookmarks", {}).get(self._stream, {})
        return bookmark

    @property
    def _partitions(self) -> Sequence[Mapping[str, Any]]:
        partitions: list[dict[str, Any]] = self._bookmark.get("partitions") or []
        return partitions

    @property
    def _content(self) -> Mapping[str, Any]:
        if self._context is None:
            return self._bookmark
        found = (part for part in self._partitions if part.get("context") == self._context)
        return next(found, {})

    def change(self, in_parts: Mapping[str, Any] = NOTHING, /, **values: Any) -> None:
        """Change attributes of the entry in one assignment.

        Args:
            in_parts: New values by attribute for the entries of all parts, in the same assignment.
            **values: New values by attribute. Other attributes stay the same.
        """
        entry = _changed(self._content, values)
        partitions = self._partitions
        if self._context is not None:
            if not entry and not self._content:
                # A part that was skipped is not read yet.
                return
            entry = {"context": self._context, **entry}
            places = [part.get("context") for part in partitions]
            at = places.index(self._context) if self._context in places else len(places)
            entry = {
                **self._bookmark,
                "partitions": [*partitions[:at], entry, *partitions[at + 1 :]],
            }
        elif in_parts and partitions:
            entry["partitions"] = [_changed(part, in_parts) for part in partitions]
        # Not before: a state without entries is not written.
        self._state.setdefault("bookmarks", {})[self._stream] = entry


def _entry(content: Mapping[str, Any]) -> Entry:
    return Entry(**{name: value for name, value in content.items() if name in NAMES})


def _changed(content: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of an entry with new values by attribute."""
    others = {name: value for name, value in content.items() if name not in NAMES}
    return {**others, **msgspec.to_builtins(replace(_entry(content), **values))}
