"""State writer: limits how many STATE messages are written.

Each STATE message holds the bookmarks of all tables. With one message after each page of each
table, their size would grow with the square of the number of tables: 800 tables of 2 rows each made
0.4 MB of records and 43 MB of STATE.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from singer_sdk.helpers._state import StateWriter
from singer_sdk.singerlib import StateMessage
from typing_extensions import override

from tap_dynamics365.singer.encoder import encoder

if TYPE_CHECKING:
    from singer_sdk.helpers.types import TapState

    from tap_dynamics365.singer.writer import LineWriter

# Bytes of records for each byte of STATE.
RECORDS_TO_STATE = 10
# The most seconds after which sent records are covered by a STATE message.
SECONDS = 30.0


class PacedStateWriter(StateWriter):
    """Writes STATE messages: at most 1 byte for 10 bytes of records, and 1 message in 30 seconds.

    A message holds the state at the time of writing. Every state is a point to resume from.

    Args:
        writer: Writes the messages; kept as an attribute.
        seconds: Seconds after which a state is written, even if few records were sent.
    """

    def __init__(self, writer: LineWriter, seconds: float = SECONDS) -> None:
        super().__init__(writer)
        self.writer = writer
        self._seconds = seconds
        self._last = b""
        self._written_at = time.monotonic()
        self._records_before = 0
        # The state that is not written yet. It keeps changing.
        self._waiting: TapState | None = None

    @override
    def write_state(self, state: TapState) -> None:
        """Write the state if it is due.

        Args:
            state: The state. If it is not due, a reference is kept to write it later.
        """
        self._waiting = state
        records = self.writer.record_bytes - self._records_before
        if records >= RECORDS_TO_STATE * len(self._last) or self.seconds_left == 0:
            self.write_now(state)

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the pending state is due; None if no state is pending."""
        if self._waiting is None:
            return None
        return max(0.0, self._written_at + self._seconds - time.monotonic())

    def write_now(self, state: TapState) -> None:
        """Write the state, unless it is empty, or nothing has changed since it was written.

        The same state is written again after records: some targets, such as target-jsonl, forget a
        state when a record follows it, and would emit none.

        Args:
            state: The state.
        """
        line = encoder.encode(StateMessage(value=state).to_dict()) + b"\n"
        has_records = self.writer.record_bytes > self._records_before
        if state and (has_records or line != self._last):
            self.writer.write_lines(line)
            self._last = line
        self._waiting = None
        self._written_at = time.monotonic()
        self._records_before = self.writer.record_bytes

    def write_if_due(self) -> None:
        """Write the pending state if it is due."""
        if self._waiting is not None and self.seconds_left == 0:
            self.write_now(self._waiting)
