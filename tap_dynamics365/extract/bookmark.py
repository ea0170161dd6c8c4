"""How far a table was read by its replication key, as the state keeps it from run to run."""

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

# By how many seconds the clocks of a service's servers may differ.
SKEW = 300

logger = logging.getLogger("tap-dynamics365.bookmark")


class Bookmark:
    """The greatest value of the replication key up to which every row was sent.

    It never goes back, and never lies in the service's future: a row dated ahead of its time would
    hide all that change until then.

    Args:
        stream: Name of the stream.
        state: What the state says of the table; what becomes of the bookmark goes in here.
        key: The replication key.
        scale: How its values are reckoned with.
        lookback: Seconds before a bookmark that are read again, for rows committed late; 0 for
            none.
        start_date: Where a table begins that has no bookmark, if its key is a date.
        dialect: Which keys the service sets in each row, and what its delta tokens say.
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
        """Drop a bookmark that means nothing for this key, and say so."""
        entry = self._state.entry
        old, value = entry.replication_key, entry.replication_key_value
        try:
            if old in {None, self._key} and (value is None or self._scale.position(value) >= 0):
                return
        except (TypeError, ValueError, OverflowError):
            pass
        logger.warning(
            "The bookmark of %r is of %s (%s), not of %s: the table is read anew.",
            self._stream,
            old,
            value,
            self._key,
        )
        # The load that began behind it is not to be gone on with either.
        self._state.change(**NOTHING_READ)

    def reset(self) -> None:
        """Have the table read from its beginning: the bookmark is not restored either."""
        self._at_first = NO_BOOKMARK
        self._state.change(**NO_BOOKMARK)

    @property
    def value(self) -> Value:
        """The value; None before the first row."""
        return self._state.entry.replication_key_value

    @property
    def _position(self) -> int | None:
        return None if self.value is None else self._scale.position(self.value)

    @property
    def is_unsorted(self) -> bool:
        """Whether the service was seen to send rows in another order, in this run or before."""
        return self._state.entry.replication_key_unsorted == self._key

    def invalidate(self) -> None:
        """Have no bookmark, for the rows that it was taken from were not in order."""
        # Beside a token, the key marks a first load as under way.
        is_load = self._state.entry.delta_token is not None
        key = self._key if is_load else None
        self._state.change(
            **NO_BOOKMARK | {"replication_key": key}, replication_key_unsorted=self._key
        )

    def restore(self) -> None:
        """Take the bookmark again with which the run began, now that all rows were sent."""
        # A first load under way is not over yet: the changes since its token are still to come.
        if self._state.entry.delta_token is None:
            self._state.change(**self._at_first)

    def start(self) -> Value:
        """Tell where a run begins.

        Returns:
            The smallest value to ask for, a little before the bookmark: a row's key is given out
            before its transaction is committed, so it may turn up behind a bookmark already taken.
            What lies before that of a run that was stopped was committed long ago.
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
        """Move on behind a row that was sent.

        Args:
            value: Its value of the key.
        """
        position = self._scale.position(value)
        if self._scale is not Numbers and position > (now := self._now()):
            position, value = now, self._scale.literal(now)
        before = self._position
        if before is None or position > before:
            # Rows before a recent bookmark are read again, also by a run that was stopped.
            recent = {"replication_key_began": UNSET} if self._is_recent(position) else {}
            self._state.change(replication_key=self._key, replication_key_value=value, **recent)

    def _now(self) -> int:
        return Moments.position(self._clock().isoformat())

    def is_in_future(self) -> bool:
        """Tell whether the bookmark lies in the service's future, as it should not."""
        if self._scale is Numbers or self._position is None:
            return False
        return self._position - max(self._lookback, SKEW) * SECOND > self._now()

    def from_delta_token(self, delta_token: str | None) -> dict[str, Any]:
        """Return the bookmark that continues where change tracking left off.

        Args:
            delta_token: The delta token, decoded.

        Returns:
            What to change in the state; nothing if there is a bookmark already, or the token says
            nothing about this key.
        """
        if delta_token is None or self._state.entry.replication_key is not None:
            return {}
        value = self._dialect.key_at_token(delta_token, self._key)
        if value is None:
            return {}
        return {"replication_key": self._key, "replication_key_value": value}

    def stop(self) -> None:
        """Note that a run ends before it has read all there is.

        The next one goes on at the bookmark itself: were it to begin before it each time, it might
        never get any further.
        """
        if self._state.entry.replication_key_began is not UNSET or self._position is None:
            return
        if not self._is_recent(self._position):
            self._state.change(replication_key_began=self._began)

    def _is_recent(self, position: int) -> bool:
        """Tell whether rows before a date may not have been committed yet."""
        return self._scale is not Numbers and position > self._now() - self._lookback * SECOND

    @property
    def may_miss_rows(self) -> bool:
        """Whether there may be rows without a value of the key: no bookmark leads to them.

        The service itself gives each row a date and a version number, unless a table is of another
        kind, such as a virtual one. Of all other columns nobody can tell.
        """
        return (
            self._key not in self._dialect.key_columns
            or self._state.entry.replication_key_nulls is not False
        )

    def complete(self, began_at: Value, *, has_nulls: bool | None) -> None:
        """Note that a run has read all there is.

        Args:
            began_at: The bookmark with which it began.
            has_nulls: Whether there were rows without a value of the key; None if it is not known.
        """
        entry = self._state.entry
        if entry.replication_key_began is not UNSET:
            began_at = entry.replication_key_began
        overlap = entry.replication_key_overlap
        if self._scale is not Numbers or not self._lookback:
            overlap = UNSET
        elif self.value is not None:
            # Of a first load, however many runs it took, the beginning is that of the table.
            overlap = began_at if overlap is not UNSET else None
        self._state.change(
            replication_key_began=UNSET,
            replication_key_overlap=overlap,
            replication_key_nulls=has_nulls,
        )
