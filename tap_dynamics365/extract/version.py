"""Table version: which rows in the target are current, and which were deleted at the source.

https://sdk.meltano.com/en/latest/capabilities/target/activate-version.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_dynamics365.extract.state import NOTHING_READ

if TYPE_CHECKING:
    from tap_dynamics365.extract.state import TableState


class TableVersion:
    """The version that a table's records carry.

    Args:
        state: The state of the table.
        is_used: Whether records carry a version at all.
        started_at: When the run started, in seconds since 1970.

    Attributes:
        is_used: As given.
        number: The version; None if records carry none.
        is_outdated: Whether the target may hold deleted rows, so that the version must be
        activated.
    """

    def __init__(self, state: TableState, *, is_used: bool, started_at: int) -> None:
        self._state = state
        self._started_at = started_at
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
        self._state.change(**values, version=self.number)

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
