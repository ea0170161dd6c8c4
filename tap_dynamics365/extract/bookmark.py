"""Bookmark: how far a table was read by its replication key, as kept in the state."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from tap_dynamics365.extract.state import NO_BOOKMARK, NOTHING_READ
from tap_dynamics365.odata.key_scale import SECOND, Moments, Numbers, Scale

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tap_dynamics365.extract.state import TableState
    from tap_dynamics365.odata.dialect import Dialect
    from tap_dynamics365.odata.page import Value

# Seconds by which the clocks of a service's servers may differ.
SKEW = 300

logger = logging.getLogger("tap-dynamics365.bookmark")


class Bookmark:
    """The greatest value of the replication key up to which every row was sent.

    The bookmark never decreases, and is never in the service's future. After a row with a date in
    the future, rows that change before that date would be missed.

    Args:
        stream: The name of the stream.
        state: The state of the table, which holds the bookmark.
        key: The replication key.
        scale: The scale of the key.
        lookback: Seconds before the bookmark that are read again, for rows that were committed
            late; 0 for none.
        start_date: Where the first run begins, if the key is a date.
        dialect: The keys that the service sets in each row, and its delta tokens.
        clock: Returns the service's time.
    """

    def __init__(  # noqa: PLR0913 - what a bookmark depends on
        self,
        stream: str,
        state: TableState,
        key: str,
        scale: Scale,
        *,
        lookback: int,
        start_date: str | None,
        dialect: Dialect,
        clock: Callable[[], datetime],
    ) -> None:
        self._stream = stream
        self._state = state
        self._key = key
        self._scale = scale
        self._lookback = lookback
        self._dialect = dialect
        self._clock = clock
        is_date = scale is not Numbers
        self._start_date = scale.position(start_date) if is_date and start_date else None
        self._began: Value = None
        self._drop_unusable()
        self._at_first = {name: getattr(state.entry, name) for name in NO_BOOKMARK}

    def _drop_unusable(self) -> None:
        """Drop a bookmark that is not usable for this key, and log a warning."""
        entry = self._state.entry
        old, value = entry.replication_key, entry.replication_key_value
        try:
            if old in {None, self._key} and (value is None or self._scale.position(value) >= 0):
                return
        except (TypeError, ValueError, OverflowError):
            pass
        logger.warning(
            "The bookmark of %r is of %s (%s), not of %s. The table is read in full.",
            self._stream,
            old,
            value,
            self._key,
        )
        # A first load that was in progress can't continue either.
        self._state.change(**NOTHING_READ)

    def reset(self) -> None:
        """Read the table from its beginning. The bookmark is not restored either."""
        self._at_first = NO_BOOKMARK
        self._state.change(**NO_BOOKMARK, window=None)

    @property
    def value(self) -> Value:
        """The value; None before the first row."""
        return self._state.entry.replication_key_value

    @property
    def _position(self) -> int | None:
        return None if self.value is None else self._scale.position(self.value)

    @property
    def is_unsorted(self) -> bool:
        """Whether the service was seen to send rows out of order, in this run or an earlier one."""
        return self._state.entry.replication_key_unsorted == self._key

    def invalidate(self) -> None:
        """Remove the bookmark, because the rows that it was taken from were out of order."""
        # Together with a delta token, the key means that a first load is in progress.
        is_load = self._state.entry.delta_token is not None
        key = self._key if is_load else None
        self._state.change(
            **NO_BOOKMARK | {"replication_key": key}, replication_key_unsorted=self._key
        )

    @property
    def is_date(self) -> bool:
        """Whether the key is a date, so that the service's time can be the bookmark."""
        return self._scale is not Numbers

    def before_now(self, seconds: int) -> str | int:
        """Return the value of the key some time before the service's time.

        Args:
            seconds: How long before.
        """
        return self._scale.literal(self._now() - seconds * SECOND)

    def restore(self) -> None:
        """Restore the bookmark from the start of the run, after all rows were sent."""
        # A first load is not complete before the changes since its token were read.
        if self._state.entry.delta_token is None:
            self._state.change(**self._at_first)

    def start(self) -> Value:
        """Return where a run begins.

        A row gets its key before its transaction is committed, so a row may appear after the
        bookmark has passed its value. Therefore a run begins a little before the bookmark. That is
        not necessary after a run that was stopped: the rows before its bookmark are old.

        Returns:
            The smallest value to request; None for all rows.
        """
        entry = self._state.entry
        self._began = entry.replication_key_value
        if entry.replication_key_began is not UNSET:
            return self.value
        if self._scale is Numbers:
            overlap = entry.replication_key_overlap
            return overlap if overlap is not UNSET and self._lookback else self.value
        starts = [self._start_date]
        if self._position is not None:
            starts.append(self._position - self._lookback * SECOND)
        known = [start for start in starts if start is not None]
        return self._scale.literal(max(known)) if known else None

    def advance(self, value: str | int) -> None:
        """Move the bookmark to a row that was sent.

        Args:
            value: The row's value of the key.
        """
        position = self._scale.position(value)
        # Rows that changed before this may still become visible.
        latest = self._now() - self._dialect.late_seconds * SECOND
        if self._scale is not Numbers and position > latest:
            position, value = latest, self._scale.literal(latest)
        before = self._position
        if before is None or position > before:
            # Rows before a recent bookmark are read again, also after a run that was stopped.
            recent = {"replication_key_began": UNSET} if self._is_recent(position) else {}
            self._state.change(replication_key=self._key, replication_key_value=value, **recent)

    def _now(self) -> int:
        return Moments.position(self._clock().isoformat())

    def is_in_future(self) -> bool:
        """Tell whether the bookmark is in the service's future, which is an error."""
        if self._scale is Numbers or self._position is None:
            return False
        return self._position - max(self._lookback, SKEW) * SECOND > self._now()

    def from_delta_token(self, delta_token: str | None) -> dict[str, Any]:
        """Return the bookmark that continues where change tracking left off.

        Args:
            delta_token: The delta token, decoded.

        Returns:
            The changes of the state; empty if there is a bookmark already, or the token does not
            contain a value of this key.
        """
        if delta_token is None or self._state.entry.replication_key is not None:
            return {}
        value = self._dialect.key_at_token(delta_token, self._key)
        if value is None:
            return {}
        return {"replication_key": self._key, "replication_key_value": value}

    def stop(self) -> None:
        """Note that a run ends before it has read all rows.

        The next run continues at the bookmark itself. If every run began before the bookmark, runs
        with a limit might never make progress.
        """
        if self._state.entry.replication_key_began is not UNSET or self._position is None:
            return
        if not self._is_recent(self._position):
            self._state.change(replication_key_began=self._began)

    def _is_recent(self, position: int) -> bool:
        """Tell whether rows before a date may still be uncommitted."""
        return self._scale is not Numbers and position > self._now() - self._lookback * SECOND

    @property
    def may_miss_rows(self) -> bool:
        """Whether there may be rows without a value of the key, which no bookmark covers.

        The service sets dates and version numbers itself, except in other kinds of tables, such as
        virtual tables. Any other column may be empty.
        """
        return (
            self._key not in self._dialect.key_columns
            or self._state.entry.replication_key_nulls is not False
        )

    @property
    def is_set_by_changes(self) -> bool:
        """Whether a change gives a row a value of the key, if it had none."""
        return self._dialect.sets_missing_keys and self._key in self._dialect.key_columns

    def complete_at(self, value: str | int, *, has_nulls: bool | None, **values: Any) -> None:
        """Note that a run has read all rows up to a value of the key, in any order.

        Args:
            value: The value.
            has_nulls: As for `complete`.
            **values: What else to change in the state, in the same assignment.
        """
        if self._position is None or self._scale.position(value) > self._position:
            values |= {"replication_key": self._key, "replication_key_value": value}
        self._state.change(
            **values,
            window=None,
            replication_key_began=UNSET,
            replication_key_overlap=UNSET,
            replication_key_nulls=has_nulls,
        )

    def complete(self, began_at: Value, *, has_nulls: bool | None) -> None:
        """Note that a run has read all rows.

        Args:
            began_at: The bookmark at the start of the run.
            has_nulls: Whether there were rows without a value of the key; None if unknown.
        """
        entry = self._state.entry
        if entry.replication_key_began is not UNSET:
            began_at = entry.replication_key_began
        overlap = entry.replication_key_overlap
        if self._scale is not Numbers or not self._lookback:
            overlap = UNSET
        elif self.value is not None:
            # A first load begins at the beginning of the table, even if it takes several runs.
            overlap = began_at if overlap is not UNSET else None
        self._state.change(
            replication_key_began=UNSET,
            replication_key_overlap=overlap,
            replication_key_nulls=has_nulls,
        )
