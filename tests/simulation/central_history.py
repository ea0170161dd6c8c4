"""State machine of the simulation of Business Central."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.simulation import runs
from tests.simulation.central_changes import (
    CARDS,
    GROUPED,
    GROUPS,
    Change,
    changes,
    meanwhile,
)
from tests.simulation.central_events import CentralEvents
from tests.simulation.central_way import (
    FAULTS,
    RUNS,
)
from tests.storms.schedule import SPEED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.storms.schedule import Fault
    from tests.tap import Run


class CentralHistory(CentralEvents):
    """Events of the service, runs of the tap, and a warehouse that loads their messages."""

    @rule(change=changes, late=changes, seconds=st.sampled_from([59, 299, 599]))
    def overtake(self, change: Change, late: Change, seconds: int) -> None:
        """Commit a transaction after a run that began a while after it."""
        begun = self._begin(late)
        self.let_time_pass(min(seconds, self._latest - 1))
        self.change(change)
        self.run([])
        if begun is not None:
            self._commit(begun)

    # Settings.

    @rule(table=st.sampled_from(GROUPED), group=st.sampled_from([*GROUPS, None]))
    def change_filter(self, table: str, group: str | None) -> None:
        """Give a table another filter, or none."""
        self.filters = {name: text for name, text in self.filters.items() if name != table}
        if group is not None:
            self.filters[table] = group

    @rule(table=st.sampled_from(GROUPED))
    def change_columns(self, table: str) -> None:
        """Leave out a column, or select it again."""
        self.wide ^= {table}

    @rule()
    def change_order(self) -> None:
        """Let tables be sorted, or no more."""
        for each in list(self.open):
            self._commit(each)
        self.way = replace(self.way, is_sorted=not self.way.is_sorted)

    # Runs of the tap.

    @rule(meanwhile=meanwhile)
    def run(self, meanwhile: list[tuple[int, bool, Change]]) -> None:
        """Run the tap while rows change."""
        run = self._run(meanwhile)
        assert run.status == 0 or not self._is_any_open, run.log

    @rule(meanwhile=meanwhile, faults=FAULTS.run_faults)
    def run_with_faults(
        self, meanwhile: list[tuple[int, bool, Change]], faults: list[Fault]
    ) -> None:
        """Run the tap while rows change and requests fail; the run may fail too."""
        self._run(meanwhile, faults=faults)

    @rule(
        meanwhile=meanwhile,
        lines=st.integers(1, 150),
        stop=st.sampled_from([signal.SIGKILL, signal.SIGTERM]),
    )
    def run_until_stopped(
        self, meanwhile: list[tuple[int, bool, Change]], lines: int, stop: int
    ) -> None:
        """Run the tap while rows change, and stop it after some messages."""
        self._run(meanwhile, lines=lines, stop=stop)

    @rule(limit=st.integers(1, 9), fails=st.booleans())
    def run_with_limit(self, limit: int, fails: bool) -> None:  # noqa: FBT001 - drawn
        """Run the tap with a limit to its calls."""
        what = "ErrorAlways" if fails else "ReturnResults"
        self._run([], stmt_call_limit=limit, stmt_call_limit_behavior=what)

    @rule()
    def compare(self) -> None:
        """Commit all transactions, let all be read, and compare."""
        while self.open:
            self._commit(self.open[0])
        self.mend()
        self.forbid(None)
        self._close(set())
        # A read that was continued does not see the rows before its place again.
        self.run([])
        self.run([])

    def teardown(self) -> None:
        """Compare at the end of every history, also with all companies."""
        if self.companies:
            self.compare()
            if self.selected is not None:
                self.selected = None
                self.compare()

    def _run(
        self,
        meanwhile: list[tuple[int, bool, Change]],
        faults: Iterable[Fault] = (),
        lines: int | None = None,
        stop: int = signal.SIGKILL,
        **settings: Any,
    ) -> Run:
        for each in list(self.open):
            # Only the rows of the last run are read again.
            if each.runs >= RUNS and each.change.table == CARDS:
                self._commit(each)
            each.runs += 1
        self.checks.before()
        begun = []
        for skip, late, change in meanwhile:
            if (each := self._begin(change, late=late)) is not None:
                begun.append(each)
                for part in each.parts:
                    self.service.fault("/companies(.*)/", skip=skip * 7, commit=part.number)
        for fault in faults:
            self.service.fault(**fault.order)
        self.runs += 1
        run = runs.run(
            lines=lines,
            stop=stop,
            ahead=self.runs,
            speed=SPEED if faults else 1,
            config={**self._config, **settings},
            catalog=self.setup.chosen(self.way, self.wide),
            state=self.warehouse.state or None,
        )
        self.service.clear_faults()
        self._rows = None
        for each in begun:
            # A transaction whose request has been made is committed already.
            self._commit(each)
        assert run.status in {0, 1, 128 + signal.SIGTERM, -signal.SIGKILL, 137}, run.log
        assert "Traceback" not in run.log, run.log
        self.warehouse.load(run.messages)
        is_whole = run.status == 0 and lines is None and not settings
        self.checks.after(run, is_whole=is_whole)
        return run
