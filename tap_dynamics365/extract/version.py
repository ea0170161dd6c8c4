"""Table version: which rows in the target are current, and which were deleted at the source.

https://sdk.meltano.com/en/latest/capabilities/target/activate-version.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tap_dynamics365.extract.state import NOTHING_READ

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_dynamics365.extract.state import Entry, TableState


class TableVersion:
    """The version that a table's records carry, the same in all its parts.

    Args:
        state: The state of the table.
        is_used: Whether records carry a version at all.
        started_at: When the run started, in seconds since 1970.
        is_divided: Whether the table has parts.

    Attributes:
        is_used: As given.
        is_divided: As given.
        number: The version; None if records carry none.
        is_outdated: Whether the target may hold deleted rows, so that the version must be
        activated.
    """

    def __init__(
        self, state: TableState, *, is_used: bool, started_at: int, is_divided: bool = False
    ) -> None:
        self._state = state
        self._started_at = started_at
        self.is_divided = is_divided
        # Whether the run continues the version of the run before; None before that is decided.
        self._continues: bool | None = None
        # How far the parts were read when the run began.
        self._at_first = b""
        self.is_used = is_used
        self.number: int | None = None
        self.is_outdated = False

    def begin(self, **values: Any) -> None:
        """Begin a new version of the table.

        No bookmark of the version before is kept: the target would drop the rows up to it.

        Args:
            **values: What else to change in the state, in the same assignment.
        """
        if self.is_used:
            # Two runs may begin in the same second.
            last = self._state.entry.version or 0
            self.number = max(self._started_at, last + 1)
            self.is_outdated = True
            values = {**NOTHING_READ, **values}
        self._state.change(values if self.is_divided else {}, **values, version=self.number)

    def keep(self) -> bool:
        """Continue the version of the run before.

        Returns:
            Whether that is possible. If not, the target has rows that belong to no version.
        """
        if not self.is_used:
            self._state.change(version=None)
            return True
        self.number = self._state.entry.version
        return self.number is not None

    def begin_run(self, is_usable: Callable[[Entry], bool]) -> bool:
        """Continue the version of a full read that was interrupted, or begin a new one.

        Args:
            is_usable: Tells whether the entry of the table, or of a part, has an interrupted read
                that can be continued.

        Returns:
            Whether the version is continued. It is decided once in a run.
        """
        if self._continues is None:
            entries = self._state.parts if self.is_divided else [self._state.entry]
            self._continues = any(map(is_usable, entries)) and self.keep()
            self._at_first = self._progress
            if self._continues:
                self.is_outdated = self.is_used
            else:
                self.begin(full_table=None)
        return self._continues

    @property
    def _progress(self) -> bytes:
        """How far the parts were read."""
        return msgspec.json.encode([part.full_table for part in self._state.parts])

    def give_up(self) -> None:
        """Let the next run begin a new version if this one has continued in vain.

        Otherwise, one part that always fails would keep the others from being read again.
        """
        if self._continues and self._progress == self._at_first:
            self._state.change({"full_table": None})

    def restart(self) -> None:
        """Begin a new version, because the interrupted read of the table can't be continued.

        The version of a table with parts stays, because rows of other parts carry it already.
        """
        if not self.is_divided:
            self.begin(full_table=None)
