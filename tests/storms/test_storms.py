"""Storms: under any schedule of faults, the records equal the rows, or the next run resumes.

`make storms` runs many more schedules than `make test`, and different ones each time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from sandbox.faults.mishaps import KINDS
from tests.simulation import runs
from tests.simulation.simulate import hypothesis_settings
from tests.simulation.warehouse import Warehouse
from tests.storms.findings import Requests, check_states, is_for_token
from tests.storms.schedule import (
    FETCH_SIZE,
    FULL_TABLE,
    INCREMENTAL,
    LOG_BASED,
    RETRIES,
    SETS,
    SPEED,
    Schedule,
    schedules,
    transient_with_status_400,
)
from tests.tap import entry, own_metadata, select

if TYPE_CHECKING:
    from sandbox.client import Sandbox
    from tests.tap import Message, Run

# The number of schedules for each combination of method and parallel requests.
SCHEDULES = 84
COLUMNS = {
    "lead": ["leadid", "subject", "companyname", "modifiedon"],
    "teammembership": ["teammembershipid", "teamid", "versionnumber"],
    "bulkdeletefailure": ["bulkdeletefailureid", "errordescription"],
}


@dataclass
class Storms:
    """Runs of one test.

    Attributes:
        service: The service.
        catalog: The catalog with the selected streams.
        rows: The rows of the service.
        settings: Settings in addition to those of all runs.
        seen: The sorts of faults that have hit a request, and the exit codes of the runs.
    """

    service: Sandbox
    catalog: Message
    rows: dict[str, list[Message]]
    settings: dict[str, Any]
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
                "tables": [*SETS],
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

    def check(self, schedule: Schedule) -> None:
        """Run the tap with the faults of a schedule, and check requests, log and records."""
        needed = self.needed(discover=schedule.discover)
        self.service.clear_requests()
        for fault in schedule.faults:
            self.service.fault(**fault.order)
        try:
            run = self.run(discover=schedule.discover)
            log = self.service.requests()
        finally:
            self.service.clear_faults()
        requests = Requests(log, schedule, SPEED, self.settings["max_parallel_requests"])
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
        else:
            assert not requests.must_fail(), run.log
            self.assert_complete(run.messages, run.log)
        if schedule.cut is not None:
            self.resume(run, round(schedule.cut * len(run.messages)))

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
        for table, columns in COLUMNS.items():
            key = columns[0]
            expected = {row[key]: [row[column] for column in columns] for row in self.rows[table]}
            found = {
                row[key]: [row[column] for column in columns]
                for row in held.tables[table].current.values()
            }
            assert found == expected, log


@pytest.mark.parametrize("parallel", [1, 8])
@pytest.mark.parametrize("method", [INCREMENTAL, LOG_BASED, FULL_TABLE])
def test_records_of_a_run_with_faults_equal_the_rows_or_the_run_resumes(
    service: Sandbox,
    catalog: Message,
    rows: dict[str, list[Message]],
    method: str,
    parallel: int,
) -> None:
    chosen = select(catalog, dict(COLUMNS))
    for table in ("lead", "teammembership"):
        own_metadata(entry(chosen, table))["replication-method"] = method
    options: dict[str, Any] = {"max_parallel_requests": parallel}
    if method != FULL_TABLE:
        options["replication_method"] = method
    storms = Storms(service, chosen, rows, options)

    @hypothesis_settings(SCHEDULES, os.environ.get("STORM_SCHEDULES"))
    @given(schedule=schedules())
    def check(schedule: Schedule) -> None:
        storms.check(schedule)

    for schedule in transient_with_status_400:
        storms.check(schedule)
    check()
    assert storms.seen == {0, 1, *KINDS}


@pytest.mark.parametrize("parallel", [1, 8])
def test_service_that_is_unavailable_for_a_while_is_retried(
    service: Sandbox,
    catalog: Message,
    rows: dict[str, list[Message]],
    parallel: int,
) -> None:
    options = {"max_parallel_requests": parallel}
    storms = Storms(service, select(catalog, dict(COLUMNS)), rows, options)
    service.fault("/leads?", away_ms=200)
    run = storms.run(speed=1)
    assert run.status == 0, run.log
    storms.assert_complete(run.messages, run.log)
    assert service.hits() == [1]
    service.clear_faults()
    assert any("127.0.0.1" in line and "Trying again" in line for line in run.logged("WARNING"))
