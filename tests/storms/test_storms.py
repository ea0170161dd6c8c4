"""Storms: under any schedule of faults, the records equal the rows, or the next run resumes.

`make storms` runs many more schedules than `make test`, and different ones each time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from sandbox.faults.mishaps import KINDS
from tests.simulation.simulate import hypothesis_settings
from tests.storms.schedule import (
    DATAVERSE,
    FULL_TABLE,
    INCREMENTAL,
    LOG_BASED,
    Schedule,
    transient_with_status_400,
)
from tests.storms.storms import Storms
from tests.tap import entry, own_metadata, select

if TYPE_CHECKING:
    from sandbox.client import Sandbox
    from tests.tap import Message

# The number of schedules for each combination of method and parallel requests.
SCHEDULES = 32
COLUMNS = {
    "lead": ["leadid", "subject", "companyname", "modifiedon"],
    "teammembership": ["teammembershipid", "teamid", "versionnumber"],
    "bulkdeletefailure": ["bulkdeletefailureid", "errordescription"],
}


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
    storms = Storms(service, chosen, rows, COLUMNS, options)

    @hypothesis_settings(SCHEDULES, os.environ.get("STORM_SCHEDULES"))
    @given(schedule=DATAVERSE.schedules)
    def check(schedule: Schedule) -> None:
        storms.check(schedule)

    for schedule in transient_with_status_400:
        assert storms.check(schedule) == len(schedule.faults)
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
    storms = Storms(service, select(catalog, dict(COLUMNS)), rows, COLUMNS, options)
    service.fault("/leads?", away_ms=200)
    run = storms.run(speed=1)
    assert run.status == 0, run.log
    storms.assert_complete(run.messages, run.log)
    assert service.hits() == [1]
    service.clear_faults()
    assert any("127.0.0.1" in line and "Trying again" in line for line in run.logged("WARNING"))
