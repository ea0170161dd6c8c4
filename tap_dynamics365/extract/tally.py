"""Tally: how far the extraction of one table is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """How the extraction of a table ended."""

    DONE = "done"
    IN_PART = "read in part"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(eq=False)
class Tally:
    """How far the extraction of a table is. The main thread writes it, other threads read it.

    Attributes:
        table: The name of the table.
        rows: How many rows were sent.
        begun_at: When the extraction began, by `time.monotonic`; None before.
        reads_all: Whether all rows are read, rather than only new ones.
        expected: About how many rows the table has; None if that is not known.
        outcome: How the extraction ended; None before its end.
    """

    table: str
    rows: int = 0
    begun_at: float | None = None
    reads_all: bool = False
    expected: int | None = None
    outcome: Outcome | None = None

    def begin(self, *, reads_all: bool) -> None:
        """Note that the table is being read.

        Args:
            reads_all: Whether all its rows are read.
        """
        self.reads_all = reads_all
        if self.begun_at is None:
            self.begun_at = time.monotonic()

    @property
    def is_under_way(self) -> bool:
        """Whether the table is being read now."""
        return self.begun_at is not None and self.outcome is None

    @property
    def total(self) -> int | None:
        """About how many rows will have been sent at the end; None if that is not known."""
        if not self.reads_all or self.expected is None or self.expected < self.rows:
            return None
        return self.expected
