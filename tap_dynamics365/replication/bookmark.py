"""How far a table was read by its replication key, as the state keeps it from run to run."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tap_dynamics365 import query
from tap_dynamics365.replication.keys import SECOND, Moments, Numbers, Scale

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_dynamics365.records.page import Value

KEY, VALUE = "replication_key", "replication_key_value"
# The bookmark with which the last whole run began. Of a key of numbers nobody can tell how far
# back in time one of them lies; what was committed since then lies behind this one.
OVERLAP = "replication_key_overlap"
# The bookmark with which a run began that was stopped; the next run goes on where it ended.
BEGAN = "replication_key_began"
# What change tracking goes on from. Beside a replication key it means that a first load is under
# way, which began behind it.
TOKEN = "delta_token"  # noqa: S105 - the name of a value, and nothing secret
# By how many seconds the clocks of a service's servers may differ.
SKEW = 300

logger = logging.getLogger("tap-dynamics365.bookmark")


class Bookmark:
    """The greatest value of the replication key up to which every row was sent.

    It never goes back, and never lies in the service's future: a row dated ahead of its time would
    hide all that change until then.

    Args:
        stream: Name of the stream.
        state: The stream's part of the state; what becomes of the bookmark goes in here.
        key: The replication key.
        scale: How its values are reckoned with.
        lookback: Seconds before a bookmark that are read again, for rows committed late; 0 for
            none.
        start_date: Where a table begins that has no bookmark, if its key is a date.
        clock: Tells the service's time.
    """

    def __init__(  # noqa: PLR0913 - what a bookmark depends on
        self,
        stream: str,
        state: dict[str, Any],
        key: str,
        scale: Scale,
        *,
        lookback: int,
        start_date: str | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._stream = stream
        self._state = state
        self._key = key
        self._scale = scale
        self._lookback = lookback
        self._clock = clock
        is_date = scale is not Numbers
        self._start_date = scale.position(start_date) if is_date and start_date else None
        self._began: Value = None
        self._drop_unusable()

    def _drop_unusable(self) -> None:
        """Drop a bookmark that means nothing for this key, and say so."""
        old, value = self._state.get(KEY), self._state.get(VALUE)
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
        self.forget()
        # The load that began behind it is not to be gone on with.
        self._state.pop(TOKEN, None)

    def forget(self) -> None:
        """Have the table read from its beginning."""
        for name in (KEY, VALUE, OVERLAP, BEGAN):
            self._state.pop(name, None)

    @property
    def value(self) -> Value:
        """The value; None before the first row."""
        value: Value = self._state.get(VALUE)
        return value

    @property
    def _position(self) -> int | None:
        return None if self.value is None else self._scale.position(self.value)

    def start(self) -> Value:
        """Tell where a run begins.

        Returns:
            The smallest value to ask for, a little before the bookmark: a row's key is given out
            before its transaction is committed, so it may turn up behind a bookmark already taken.
            What lies before that of a run that was stopped was committed long ago.
        """
        self._began = self.value
        if BEGAN in self._state:
            return self.value
        if self._scale is Numbers:
            overlap: Value = self._state.get(OVERLAP, self.value) if self._lookback else self.value
            return overlap
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
            self._state.update({KEY: self._key, VALUE: value})
            if BEGAN in self._state and self._is_recent(position):
                del self._state[BEGAN]

    def _now(self) -> int:
        return Moments.position(self._clock().isoformat())

    def lies_ahead(self) -> bool:
        """Tell whether the bookmark lies in the service's future, as it should not."""
        if self._scale is Numbers or self._position is None:
            return False
        return self._position - max(self._lookback, SKEW) * SECOND > self._now()

    def adopt(self, delta_token: str) -> None:
        """Begin where change tracking left off, if there is no bookmark and the key tells.

        Args:
            delta_token: The token, decoded: a version number and the service's time.
        """
        version, _, time = delta_token.partition("!")
        try:
            moment = datetime.strptime(time, "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC)
            known = {
                "modifiedon": query.instant(moment),
                "createdon": query.instant(moment),
                "versionnumber": int(version),
            }
        except ValueError:
            return
        if KEY not in self._state and self._key in known:
            self._state.update({KEY: self._key, VALUE: known[self._key]})

    def stop(self) -> None:
        """Note that a run ends before it has read all there is.

        The next one goes on at the bookmark itself: were it to begin before it each time, it might
        never get any further.
        """
        if self._position is not None and not self._is_recent(self._position):
            self._state.setdefault(BEGAN, self._began)

    def _is_recent(self, position: int) -> bool:
        """Tell whether rows before a date may not have been committed yet."""
        return self._scale is not Numbers and position > self._now() - self._lookback * SECOND

    def complete(self, began_at: Value) -> None:
        """Note that a run has read all there is.

        Args:
            began_at: The bookmark with which it began.
        """
        began_at = self._state.pop(BEGAN, began_at)
        if self._scale is not Numbers or not self._lookback:
            self._state.pop(OVERLAP, None)
        elif self.value is not None:
            # Of a first load, however many runs it took, the beginning is that of the table.
            self._state[OVERLAP] = began_at if OVERLAP in self._state else None
