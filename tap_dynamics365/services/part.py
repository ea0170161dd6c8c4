"""Part: a part of a service in which tables have rows of their own, such as a company."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a service.

    Attributes:
        id: The id, which never changes. The state has it.
        name: The name, for messages.
        path: Where its rows are, between the root of an API and the entity set in a URL.
        values: The columns that the tap adds to each row of the part, by name. The first one is
            the id, and is the first column of the key.
        is_selected: Whether the settings select it.
    """

    id: str
    name: str
    path: str
    values: Mapping[str, str] = field(default_factory=dict)
    is_selected: bool = True
