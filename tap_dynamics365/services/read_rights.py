"""Read rights: of which tables the caller may read all rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True)
class ReadRights:
    """Of which tables the caller may read all rows, as far as the service says.

    Attributes:
        whole: The names of the tables of which the caller may read all rows.
        partial: For each table of which the caller may read some rows only: which rows these are.
        remedy: How to read all rows of such tables, in one sentence.
    """

    whole: Collection[str]
    partial: Mapping[str, str]
    remedy: str
