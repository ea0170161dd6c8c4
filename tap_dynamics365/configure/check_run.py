"""Check run: the named checks of `dynamics365 check`, in a thread, for the current settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Any

from tap_dynamics365.checks.checklist import Checklist, Status
from tap_dynamics365.checks.connection_checks import ConnectionChecks
from tap_dynamics365.checks.table_checks import MOST_TRIED, TableChecks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.checks.checklist import Result

# The last check of the connection itself.
SERVICE = "service"


@dataclass
class CheckRun:
    """The checks of some settings.

    Attributes:
        values: The settings by name.
        is_running: Whether checks are still to come.
        results: The checks that ended.
    """

    values: Mapping[str, Any] = field(repr=False)
    is_running: bool = True
    results: list[Result] = field(default_factory=list)

    def start(self) -> None:
        """Run the checks in a thread."""
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        checklist = Checklist(self.results.append)
        try:
            tap = ConnectionChecks(lambda: dict(self.values)).run(checklist)
            if tap is not None:
                TableChecks(tap, has_catalog=False, most=MOST_TRIED).run(checklist)
        finally:
            self.is_running = False

    @property
    def is_connected(self) -> bool:
        """Whether the service has answered a signed request."""
        return any(
            result.name == SERVICE and result.status is not Status.FAILED
            for result in self.results
            if result.status is not Status.NOT_RUN
        )

    @property
    def account(self) -> str:
        """What the service said of the account; empty before it has."""
        found = (result.message for result in self.results if result.name == SERVICE)
        return next(found, "") if self.is_connected else ""
