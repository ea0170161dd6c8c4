"""What a page of changes holds."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec
from msgspec import Raw

# What the context of an entry ends with that stands for a row which is no more.
DELETED = "$deletedEntity"
# A deleted row's id: bare in Dataverse, at the end of an address by the standard ("OData JSON
# Format Version 4.0", section 15.3).
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class _Head(msgspec.Struct):
    context: str | None = msgspec.field(default=None, name="@odata.context")


class _Gone(msgspec.Struct):
    id: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A row as it is now, or the id of one that is no more.

    Attributes:
        text: The entry as it was sent.
        id: The row's id, if it was deleted.
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
        """Tell whether it stands for a row that is no more."""
        return self.id is not None


_head = msgspec.json.Decoder(_Head)
_gone = msgspec.json.Decoder(_Gone)
