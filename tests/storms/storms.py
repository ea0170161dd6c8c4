"""Storms: runs under schedules of faults, and what has to come of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.faults.mishaps import FINAL
from tests.simulation import runs
from tests.simulation.warehouse import Warehouse
from tests.storms.findings import FIRST, Requests, check_states, is_for_token
from tests.storms.schedule import FETCH_SIZE, RETRIES, SPEED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.client import Sandbox
    from tests.storms.schedule import Schedule
    from tests.tap import Message, Run


@dataclass
class Storms:
    """Runs of one test.

    Attributes:
        service: The service.
        catalog: The catalog with the selected streams.
        rows: The rows of each table.
        columns: The columns of each table that are compared.
        settings: Settings in addition to those of all runs.
        first_wait: The seconds of the first wait, as for `Requests`.
        seen: The sorts of faults that have hit a request, and the exit codes of the runs.
    """

    service: Sandbox
    catalog: Message
    rows: Mapping[str, list[Message]]
    columns: Mapping[str, Sequence[str]]
    settings: dict[str, Any]
    first_wait: float = FIRST
    seen: set[str | int] = field(default_factory=set)
    _needed: dict[bool, int] = field(default_factory=dict)

    def run(
        self, state: Message | None = None, *, discover: bool = False, speed: float = SPEED
    ) -> Run:
        """Run the tap."""
        return runs.run(
            speed=speed,
            config={
                **self.service.settings,
                **self.settings,
                "tables": [*self.columns],
                "fetch_size": FETCH_SIZE,
                "ws_retry_count": RETRIES,
                "emit_activate_version_messages": True,
            },
            catalog=None if discover else self.catalog,
            state=state,
        )

    def needed(self, *, discover: bool) -> int:
        """Count the requests of a run without faults, without those for tokens."""
        if discover not in self._needed:
            self.service.clear_requests()
            run = self.run(discover=discover)
            assert run.status == 0, run.log
            log = self.service.requests()
            self._needed[discover] = sum(not is_for_token(request) for request in log)
        return self._needed[discover]

    def check(self, schedule: Schedule) -> int:
        """Run the tap with the faults of a schedule, and check requests, log and records.

        Returns:
            The number of faults that have hit a request.
        """
        needed = self.needed(discover=schedule.discover)
        self.service.clear_requests()
        for fault in schedule.faults:
            self.service.fault(**fault.order)
        try:
            run = self.run(discover=schedule.discover)
            log = self.service.requests()
        finally:
            self.service.clear_faults()
        requests = Requests(
            log, schedule, SPEED, self.settings["max_parallel_requests"], self.first_wait
        )
        requests.check_waits()
        self.seen |= {run.status, *(fault.sort for fault in requests.hitting_faults())}
        requests.check_retries(needed, complete=run.status == 0)
        requests.check_logged_waits(run)
        check_states(run)
        assert "Traceback" not in run.log
        if run.status:
            assert not requests.must_succeed(), run.log
            assert run.status == 1
            assert " | ERROR " in run.log.splitlines()[-1]
            self.resume(run, len(run.messages))
        elif any("Skipped" in line for line in run.logged("WARNING")):
            # A part of a table that may not be read does not fail the run.
            assert requests.failures(FINAL), run.log
            self.resume(run, len(run.messages))
        else:
            assert not requests.must_fail(), run.log
            self.assert_complete(run.messages, run.log)
        if schedule.cut is not None:
            self.resume(run, round(schedule.cut * len(run.messages)))
        return len({request["order"] for request in log} - {None})

    def resume(self, run: Run, cut: int) -> None:
        """Resume after the first messages of a run, without faults, and check the records."""
        taken = Warehouse()
        taken.load(run.messages[:cut])
        again = self.run(taken.state or None)
        assert again.status == 0, again.log
        self.assert_complete([*run.messages[:cut], *again.messages], again.log)

    def assert_complete(self, messages: list[Message], log: str) -> None:
        """Assert that a warehouse with these messages equals the service."""
        held = Warehouse()
        held.load(messages)
        for table, columns in self.columns.items():
            found, expected = (
                sorted(json.dumps([row[column] for column in columns], default=str) for row in rows)
                for rows in (held.tables[table].current.values(), self.rows[table])
            )
            assert found == expected, log
