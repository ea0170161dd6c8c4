"""What the state says of one table. Each change replaces all of it in one assignment.

A signal ends a run between any two steps of the interpreter, and the state of that moment is the
last that is sent. What belongs together must therefore never be there in part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

if TYPE_CHECKING:
    from tap_dynamics365.odata.page import Value


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A table's entry in the state.

    Attributes:
        replication_key: The column that the bookmark is of. Beside a delta token it means that a
            first load is under way.
        replication_key_value: The bookmark: every row up to this value was sent. None before the
            first row.
        replication_key_overlap: Where the next run begins, for keys that are whole numbers: the
            bookmark with which the last whole run began. What was committed since then lies
            behind it, and nobody can tell how far back in time a number lies.
        replication_key_began: The bookmark with which a run began that was stopped: the next run
            goes on where it ended.
        replication_key_nulls: Whether rows were seen that have no value of the key; None where
            nobody has looked yet.
        replication_key_unsorted: The replication key in whose order the service was seen not to
            send rows.
        delta_token: What change tracking goes on from.
        version: The table version of the rows in the target.
        metadata_version: That of the service's data model.
    """

    replication_key: str | None = None
    replication_key_value: Value = None
    # None is a value of both: the beginning of the table.
    replication_key_overlap: Value | UnsetType = UNSET
    replication_key_began: Value | UnsetType = UNSET
    replication_key_nulls: bool | None = None
    replication_key_unsorted: str | None = None
    delta_token: str | None = None
    version: int | None = None
    metadata_version: Value = None


NAMES: Final = frozenset(Entry.__struct_fields__)
#: Of which null is a value of its own.
NULLABLE: Final = frozenset({"replication_key_overlap", "replication_key_began"})
#: What takes a bookmark away.
NO_BOOKMARK: Final[dict[str, Any]] = {
    "replication_key": None,
    "replication_key_value": None,
    "replication_key_overlap": UNSET,
    "replication_key_began": UNSET,
    "replication_key_nulls": None,
}
#: What has a table read from its beginning.
NOTHING_READ: Final[dict[str, Any]] = {**NO_BOOKMARK, "delta_token": None}


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
