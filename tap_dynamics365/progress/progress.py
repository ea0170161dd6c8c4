"""Progress: how far a run is, as text for the log and for the progress bar."""

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

#: Seconds over which the rows per second are averaged: pages arrive in bursts.
WINDOW = 30.0
# The tables in progress that have a log line of their own: those with the most rows.
MAX_TABLES = 3

MINUTE, HOUR = 60, 3600


class _Speed:
    """Rows per second in the last 30 seconds.

    Args:
        begun_at: When the number of rows was 0, by `time.monotonic`.
    """

    def __init__(self, begun_at: float) -> None:
        self._samples = deque([(begun_at, 0)])

    def __call__(self, now: float, rows: int) -> float:
        """Add a sample, and return the speed.

        Args:
            now: The time, by `time.monotonic`.
            rows: The number of rows at this time.
        """
        self._samples.append((now, rows))
        while self._samples[1][0] <= now - WINDOW and len(self._samples) > 2:  # noqa: PLR2004 - two
            self._samples.popleft()
        then, before = self._samples[0]
        return (rows - before) / (now - then) if now > then else 0.0


class Progress:
    """How far a run is.

    Args:
        tallies: The tallies of all tables that the run reads.
        throttle: Pauses the requests of the run.
        traffic: Counts the requests of the run.
    """

    def __init__(self, tallies: Sequence[Tally], throttle: Throttle, traffic: Traffic) -> None:
        self._tallies = tallies
        self._throttle = throttle
        self._traffic = traffic
        self._begun_at = time.monotonic()
        self._speed = _Speed(self._begun_at)
        self._speeds: dict[Tally, _Speed] = {}

    @property
    def in_progress(self) -> list[Tally]:
        """The tables that are being read, those with the most rows first."""
        found = (tally for tally in self._tallies if tally.is_under_way)
        return sorted(found, key=lambda tally: tally.total or tally.rows, reverse=True)

    def lines(self, now: float) -> list[str]:
        """Describe how far the run and its largest tables are.

        Args:
            now: The time, by `time.monotonic`.

        Returns:
            Lines for the log.
        """
        tables = [self._line(tally, now) for tally in self.in_progress[:MAX_TABLES]]
        if len(self._tallies) > 1:
            tables.insert(0, self._sum(now))
        if tables and (waited := self._throttle.waited) > 0:
            tables[0] += f"; requests were paused for {span(waited)} so far"
        return [f"{line}." for line in tables]

    def bar(self, now: float) -> tuple[float | None, str]:
        """Describe how far the run is, for a progress bar.

        Args:
            now: The time, by `time.monotonic`.

        Returns:
            The part that is done: of the tables, or of the rows if there is only one table; None
            if it is not known. And the text after the bar.
        """
        part: float | None
        if len(self._tallies) == 1:
            (tally,) = self._tallies
            part = tally.rows / tally.total if tally.total else None
            text = self._line(tally, now)
        else:
            ended = sum(tally.outcome is not None for tally in self._tallies)
            part = ended / max(1, len(self._tallies))
            largest = [self._line(tally, now) for tally in self.in_progress[:1]]
            text = "; ".join([self._sum(now), *largest])
        if (waited := self._throttle.waited) > 0:
            text += f"; paused for {span(waited)}"
        return part, text

    def summary(self, now: float) -> str:
        """Sum up the run.

        Args:
            now: The time, by `time.monotonic`.

        Returns:
            One sentence.
        """
        text = (
            f"Sent {_count(self._rows, 'row')} in {span(now - self._begun_at)}: {self._outcomes}, "
            f"{_count(self._traffic.requests, 'request')} made, "
            f"{_count(self._traffic.received, 'byte')} received"
        )
        if (waited := self._throttle.waited) > 0:
            text += f"; requests were paused for {span(waited)}, as the service asked"
        return f"{text}."

    def _line(self, tally: Tally, now: float) -> str:
        """Describe how far a table is."""
        begun_at = now if tally.begun_at is None else tally.begun_at
        speed = self._speeds.setdefault(tally, _Speed(begun_at))(now, tally.rows)
        total = tally.total
        if total is None:
            return f"{tally.table}: {_count(tally.rows, 'row')}, {speed:,.0f} rows/s"
        text = f"{tally.table}: {tally.rows:,} of about {_count(total, 'row')}, {speed:,.0f} rows/s"
        return text if speed < 1 else f"{text}, about {span((total - tally.rows) / speed)} left"

    def _sum(self, now: float) -> str:
        """Describe how far all tables are."""
        return (
            f"{self._outcomes}, {len(self.in_progress)} in progress: "
            f"{_count(self._rows, 'row')}, {self._speed(now, self._rows):,.0f} rows/s"
        )

    @property
    def _rows(self) -> int:
        return sum(tally.rows for tally in self._tallies)

    @property
    def _outcomes(self) -> str:
        """How many tables are done, and how many ended in another way."""
        counts = {
            outcome: sum(tally.outcome is outcome for tally in self._tallies) for outcome in Outcome
        }
        others = ", ".join(
            f"{counts[outcome]} {outcome.value}"
            for outcome in (Outcome.IN_PART, Outcome.SKIPPED, Outcome.FAILED)
            if counts[outcome]
        )
        text = f"{counts[Outcome.DONE]} of {_count(len(self._tallies), 'table')} done"
        return f"{text} ({others})" if others else text


def _count(number: int, noun: str) -> str:
    """Write a number with its noun, such as "1 row" or "2,000 rows"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def span(seconds: float) -> str:
    """Write a duration for people, such as "9.3 s" or "1 h 30 min".

    Args:
        seconds: The duration.
    """
    if seconds < 10:  # noqa: PLR2004 - tenths matter only below 10 seconds
        return f"{seconds:.1f} s".replace(".0 ", " ")
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / MINUTE)
    if seconds < HOUR:
        return f"{minutes} min"
    return f"{minutes // MINUTE} h {minutes % MINUTE} min"
