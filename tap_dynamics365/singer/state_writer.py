"""STATE messages, no more of them than is worth it beside the records.

Each has the bookmarks of all tables, so that one behind each page of each table would grow with
the square of their number: 800 tables of two rows each were 0.4 MB of records and 43 MB of STATE.
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

# So many bytes of records go out to each byte of STATE.
RECORDS_TO_STATE = 10
# What was sent is in a STATE after so many seconds at the latest, however little it is.
SECONDS = 30.0


class PacedStateWriter(StateWriter):
    """Writes STATE messages: at most one byte of them to ten of records, or one in 30 seconds.

    What it writes is the state at that moment, which every STATE may be: a point to resume from.

    Args:
        writer: Where messages go; kept as an attribute.
        seconds: After how many seconds a state is written, however little was sent.
    """

    def __init__(self, writer: LineWriter, seconds: float = SECONDS) -> None:
        super().__init__(writer)
        self.writer = writer
        self._seconds = seconds
        self._last = b""
        self._written_at = time.monotonic()
        self._records_before = 0
        # A state that was not written yet; it goes on changing.
        self._waiting: TapState | None = None

    @override
    def write_state(self, state: TapState) -> None:
        """Write the state if it is time to.

        Args:
            state: The state; kept, to be written later as it will be then.
        """
        self._waiting = state
        records = self.writer.record_bytes - self._records_before
        if records >= RECORDS_TO_STATE * len(self._last) or self.seconds_left == 0:
            self.write_now(state)

    @property
    def seconds_left(self) -> float | None:
        """Seconds after which a state that waits is to be written; None if there is none."""
        if self._waiting is None:
            return None
        return max(0.0, self._written_at + self._seconds - time.monotonic())

    def write_now(self, state: TapState) -> None:
        """Write the state, if it says anything, and anything new.

        Args:
            state: The state.
        """
        line = encoder.encode(StateMessage(value=state).to_dict()) + b"\n"
        if state and line != self._last:
            self.writer.write_lines(line)
            self._last = line
        self._waiting = None
        self._written_at = time.monotonic()
        self._records_before = self.writer.record_bytes

    def write_if_due(self) -> None:
        """Write the state that waits if it has waited long enough."""
        if self._waiting is not None and self.seconds_left == 0:
            self.write_now(self._waiting)
