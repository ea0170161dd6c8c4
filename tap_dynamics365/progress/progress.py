"""How far a run is, told in numbers that a person can read."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from tap_dynamics365.extract.tally import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_dynamics365.extract.tally import Tally
    from tap_dynamics365.http.throttle import Throttle
    from tap_dynamics365.http.traffic import Traffic

#: Seconds over which rows a second are reckoned: pages come in bursts.
WINDOW = 30.0
# Of many tables under way those are told of one by one that have the most rows.
MOST_TABLES = 3

# What a bar is drawn with, and how long it is.
DONE, REST, BAR_LENGTH = "#", ".", 20
MINUTE, HOUR = 60, 3600


class _Speed:
    """Rows a second, of late.

    Args:
        begun_at: When there were none yet.
    """

    def __init__(self, begun_at: float) -> None:
        self._seen = deque([(begun_at, 0)])

    def __call__(self, now: float, rows: int) -> float:
        """Tell it.

        Args:
            now: The moment.
            rows: How many there are.
        """
        self._seen.append((now, rows))
        while self._seen[1][0] <= now - WINDOW and len(self._seen) > 2:  # noqa: PLR2004 - a pair
            self._seen.popleft()
        then, before = self._seen[0]
        return (rows - before) / (now - then) if now > then else 0.0


class Progress:
    """How far a run is.

    Args:
        tallies: Those of all tables that it is to read.
        throttle: What holds its requests back.
        traffic: What counts them.
    """

    def __init__(self, tallies: Sequence[Tally], throttle: Throttle, traffic: Traffic) -> None:
        self._tallies = tallies
        self._throttle = throttle
        self._traffic = traffic
        self._begun_at = time.monotonic()
        self._speed = _Speed(self._begun_at)
        self._speeds: dict[Tally, _Speed] = {}

    @property
    def under_way(self) -> list[Tally]:
        """The tables that are being read, those with the most rows first."""
        found = (tally for tally in self._tallies if tally.is_under_way)
        return sorted(found, key=lambda tally: tally.total or tally.rows, reverse=True)

    def lines(self, now: float) -> list[str]:
        """Tell how far the run is, and each of its largest tables.

        Args:
            now: The moment, by `time.monotonic`.

        Returns:
            Lines for the log.
        """
        tables = [self._line(tally, now) for tally in self.under_way[:MOST_TABLES]]
        if len(self._tallies) > 1:
            tables.insert(0, self._in_sum(now))
        if tables and (waited := self._throttle.waited) > 0:
            tables[0] += f"; requests were held back for {span(waited)} so far"
        return [f"{line}." for line in tables]

    def _line(self, tally: Tally, now: float) -> str:
        """Say how far a table is."""
        begun_at = now if tally.begun_at is None else tally.begun_at
        speed = self._speeds.setdefault(tally, _Speed(begun_at))(now, tally.rows)
        total = tally.total
        known = "" if total is None else f" of about {total:,}"
        told = f"{tally.table}: {tally.rows:,}{known} rows, {speed:,.0f} rows/s"
        if total is None or speed < 1:
            return told
        return f"{told}, about {span((total - tally.rows) / speed)} left"

    def bar(self, now: float, width: int) -> str:
        """Draw how far the run is.

        Args:
            now: The moment, by `time.monotonic`.
            width: Columns that there are.

        Returns:
            One line: of tables, or of the rows where there is but one.
        """
        if len(self._tallies) == 1 and self._tallies[0].total:
            (tally,) = self._tallies
            part, told = tally.rows / (tally.total or 1), self._line(tally, now)
        elif len(self._tallies) == 1:
            part, told = None, self._line(self._tallies[0], now)
        else:
            over = sum(tally.outcome is not None for tally in self._tallies)
            part = over / max(1, len(self._tallies))
            told = "; ".join(
                [self._in_sum(now), *(self._line(each, now) for each in self.under_way[:1])]
            )
        if part is not None:
            told = f"[{DONE * int(part * BAR_LENGTH):{REST}<{BAR_LENGTH}}] {told}"
        if (waited := self._throttle.waited) > 0:
            told += f"; held back for {span(waited)}"
        # The last column would have some terminals begin a new line.
        return told[: width - 1]

    def summary(self, now: float) -> str:
        """Sum the run up.

        Args:
            now: The moment, by `time.monotonic`.

        Returns:
            One sentence.
        """
        told = (
            f"Sent {self._rows:,} rows in {span(now - self._begun_at)}: {self._outcomes}, "
            f"{self._traffic.requests:,} requests made, {self._traffic.received:,} bytes received"
        )
        if (waited := self._throttle.waited) > 0:
            told += f"; requests were held back for {span(waited)}, as the service asked"
        return f"{told}."

    @property
    def _rows(self) -> int:
        return sum(tally.rows for tally in self._tallies)

    def _count(self, outcome: Outcome) -> int:
        return sum(tally.outcome is outcome for tally in self._tallies)

    @property
    def _outcomes(self) -> str:
        """How many tables are done, and of how many something else came."""
        others = ", ".join(
            f"{count} {outcome.value}"
            for outcome in (Outcome.IN_PART, Outcome.SKIPPED, Outcome.FAILED)
            if (count := self._count(outcome))
        )
        told = f"{self._count(Outcome.DONE)} of {len(self._tallies)} tables done"
        return f"{told} ({others})" if others else told

    def _in_sum(self, now: float) -> str:
        return (
            f"{self._outcomes}, {len(self.under_way)} under way: "
            f"{self._rows:,} rows, {self._speed(now, self._rows):,.0f} rows/s"
        )


def span(seconds: float) -> str:
    """Write a span of time down as a person would say it.

    Args:
        seconds: How long it is.
    """
    if seconds < 10:  # noqa: PLR2004 - below that, a tenth tells something
        return f"{seconds:.1f} s".replace(".0 ", " ")
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / MINUTE)
    if seconds < HOUR:
        return f"{minutes} min"
    return f"{minutes // MINUTE} h {minutes % MINUTE} min"
