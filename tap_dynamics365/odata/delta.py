"""Delta: the entries of a page of changes, which are rows and ids of deleted rows."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec
from msgspec import Raw

# The end of the context of an entry for a deleted row.
DELETED = "$deletedEntity"
# The id of a deleted row. Dataverse sends the id alone; by the standard it is at the end of a URL
# ("OData JSON Format Version 4.0", section 15.3).
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class _Head(msgspec.Struct):
    context: str | None = msgspec.field(default=None, name="@odata.context")


class _Gone(msgspec.Struct):
    id: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A current row, or the id of a deleted row.

    Attributes:
        text: The JSON text of the entry.
        id: The id of the row if it was deleted; None otherwise.
    """

    text: Raw
    id: str | None

    @classmethod
    def of(cls, text: Raw) -> Entry:
        """Read an entry."""
        if not (_head.decode(text).context or "").endswith(DELETED):
            return cls(text, None)
        address = _gone.decode(text).id
        found = ID.findall(address)
        return cls(text, found[-1] if found else address)

    def is_deleted(self) -> bool:
        """Tell whether the row was deleted."""
        return self.id is not None


_head = msgspec.json.Decoder(_Head)
_gone = msgspec.json.Decoder(_Gone)
