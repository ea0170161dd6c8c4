"""Check run: the named checks of `dynamics365 check`, in a thread, for the current settings."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Any

from tap_dynamics365 import __version__
from tap_dynamics365.checks.checklist import Checklist, Result, Status
from tap_dynamics365.checks.connection_checks import ConnectionChecks
from tap_dynamics365.checks.table_checks import MOST_TRIED, TableChecks
from tap_dynamics365.configure import failure, ways

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_dynamics365.configure.ways import Way
    from tap_dynamics365.services.kind import Identity


@dataclass
class CheckRun:
    """The checks of some settings.

    Attributes:
        values: The settings by name.
        way: The way to sign in that is chosen.
        is_running: Whether checks are still to come.
        results: The checks that ended.
    """

    values: Mapping[str, Any] = field(repr=False)
    way: Way
    is_running: bool = True
    results: list[Result] = field(default_factory=list)
    _connection: ConnectionChecks = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the checks."""
        self._connection = ConnectionChecks(self._read)

    def _read(self) -> dict[str, Any]:
        ways.check(self.way, self.values)
        return dict(self.values)

    def start(self) -> None:
        """Run the checks in a thread."""
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        checklist = Checklist(self.results.append)
        try:
            tap = self._connection.run(checklist)
            if tap is not None:
                TableChecks(
                    tap,
                    has_catalog=False,
                    most=MOST_TRIED,
                    next_step="Choose tables on Tables.",
                ).run(checklist)
        except Exception as error:  # noqa: BLE001 - any failure ends in a sentence
            checklist.add(Result("checks", Status.FAILED, failure.sentence(error)))
        finally:
            self.is_running = False

    @property
    def report(self) -> str:
        """The checks as Markdown, for a message to others. Messages of checks have no secret."""
        lines = [
            f"- **{result.status.value}** {result.name}: {result.message} {result.remedy}".strip()
            for result in self.results
        ]
        here = f"tap-dynamics365 {__version__}, Python {platform.python_version()}"
        return "\n".join([f"Checks of {here} on {platform.system()}:", "", *lines])

    @property
    def identity(self) -> Identity | None:
        """Who the service says that has signed in; None before it has."""
        return self._connection.identity
