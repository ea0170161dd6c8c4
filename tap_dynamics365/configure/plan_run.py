"""Plan run: the plan of a choice, estimated at first, and measured in a thread on request."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING

from tap_dynamics365.configure import failure
from tap_dynamics365.planning.estimate import make_plan
from tap_dynamics365.planning.measurements import Measurements, measure

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tap_dynamics365.planning.plan import Plan
    from tap_dynamics365.planning.tables import PlannedTable
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings


@dataclass
class PlanRun:
    """The plan of a choice.

    Attributes:
        choice: What is chosen. With another choice, the plan is of no use.
        tables: The tables.
        service: The service.
        settings: The settings.
        measured: What was measured of the tables of the service, these and others.
        plan: The plan, with what is known so far.
        reading: The tables of which pages are read, or were read last.
        is_running: Whether pages are read now.
        done: How many tables were read.
        problem: Why the measurement has ended without a result; empty if it has not.
    """

    choice: Hashable
    tables: Sequence[PlannedTable] = field(repr=False)
    service: Service = field(repr=False)
    settings: Settings = field(repr=False)
    measured: Measurements = field(default_factory=Measurements, repr=False)
    plan: Plan = field(init=False, repr=False)
    reading: Sequence[PlannedTable] = field(default=(), repr=False)
    is_running: bool = False
    done: int = 0
    problem: str = ""

    def __post_init__(self) -> None:
        """Estimate without reading a page.

        Raises:
            Dynamics365Error: The service can't say what an estimate needs.
        """
        self._make()

    def _make(self) -> None:
        known = self.measured.of(self.tables)
        self.plan = make_plan(self.tables, self.service, self.settings, known)

    @property
    def left(self) -> list[PlannedTable]:
        """The tables of which no page was read."""
        known = self.measured.of(self.tables).pages
        return [table for table in self.tables if table.name not in known]

    def measure(self) -> None:
        """Read a page of each table in a thread, unless that goes on already.

        If some tables are measured, only the others are.
        """
        if not self.is_running:
            self.reading = self.left or self.tables
            self.is_running, self.done, self.problem = True, 0, ""
            Thread(target=self._measure, daemon=True).start()

    def _measure(self) -> None:
        try:
            found = measure(self.reading, self.service, self.settings, self._report)
            self.measured.add(found)
            self._make()
        except Exception as error:  # noqa: BLE001 - any failure ends in a sentence
            self.problem = failure.sentence(error)
        finally:
            self.is_running = False

    def _report(self, done: int, count: int) -> None:  # noqa: ARG002 - the tables are known
        self.done = done
