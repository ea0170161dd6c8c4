"""Interruption of a run by a signal at any point: the next run resumes and no change is lost.

The traced run writes each state that it has, even for one opcode. For each message after which it
may have ended, the next run resumes from the last state, and the content of a target that has
loaded the messages of both runs is compared with the service.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import client
from tests.simulation import runs
from tests.simulation.history import BEGINNING, KEYS, TEXTS
from tests.simulation.warehouse import Warehouse
from tests.storms.schedule import FULL_TABLE, INCREMENTAL, LOG_BASED
from tests.tap import entry, own_metadata, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sandbox.client import Sandbox, Transaction
    from tests.tap import Message, Run

    Event = Callable[[Sandbox, datetime], Transaction | None]

# One table has a date as replication key, one a version number; each has two pages.
BY_DATE, BY_VERSION = "lead", "teammembership"
SIZES = {BY_DATE: 5, BY_VERSION: 4}
PAGE = 3


@dataclass(frozen=True)
class Step:
    """Configuration of one run of the tap.

    Attributes:
        method: The replication method.
        keyed: Whether tables have a replication key.
        settings: Settings in addition to those of all runs.
    """

    method: str
    keyed: bool = True
    settings: dict[str, Any] = field(default_factory=dict)


def step(method: str, *, keyed: bool = True, **settings: Any) -> Step:
    """Configure one run of the tap."""
    return Step(method, keyed, settings)


@dataclass(frozen=True)
class Scenario:
    """Sequence of runs and events, in which one run may be interrupted.

    Attributes:
        interrupted: The run that a signal may end.
        before: The runs before it.
        events: Events at the service before the interrupted run. A transaction that an event
            returns is committed after that run.
        after: The run after it; None repeats the configuration of the interrupted run.
        until: Text of the state after which the target loads no more of the runs before; if
            empty, the target loads all messages.
        sees_deletes: Whether the target has to reflect deletes.
        tables: The tables that are extracted.
    """

    interrupted: Step
    before: tuple[Step, ...] = ()
    events: tuple[Event, ...] = ()
    after: Step | None = None
    until: str = ""
    sees_deletes: bool = True
    tables: tuple[str, ...] = (BY_DATE,)

    @property
    def day(self) -> datetime:
        """The service's time before the events: each scenario has a day of its own."""
        return BEGINNING + timedelta(days=[*SCENARIOS.values()].index(self))


def value_of(service: Sandbox, table: str) -> Message:
    """Make the values of a row."""
    team = service.rows("team")[0]["teamid"]
    return {column: team if column == "teamid" else "Changed" for column in TEXTS[table]}


def change(service: Sandbox, _: datetime) -> None:
    """Insert, update and delete rows."""
    for table in SIZES:
        gone, changed = (row[KEYS[table]] for row in service.rows(table)[:2])
        service.delete(table, gone)
        service.update(table, changed, value_of(service, table))
        service.insert(table, [value_of(service, table)] * 2)


def expire(service: Sandbox, _: datetime) -> None:
    """Expire all delta tokens."""
    service.expire_delta_tokens()


def forbid(service: Sandbox, _: datetime) -> None:
    """Forbid change tracking."""
    service.configure(forbidden_tracking=[*SIZES])


def allow(service: Sandbox, _: datetime) -> None:
    """Allow change tracking again."""
    service.configure(forbidden_tracking=[])


def disorder(service: Sandbox, _: datetime) -> None:
    """Make the rows of the second sorted page look older than all others."""
    older = [(r'"modifiedon":"20', '"modifiedon":"19')]
    service.fault(r"/leads\?.*orderby(?!.*top)", skip=1, substitute=older)


def begin_late(service: Sandbox, now: datetime) -> Transaction:
    """Begin a transaction that is committed after later ones."""
    late = service.begin(BY_DATE, insert=[value_of(service, BY_DATE)])
    service.configure(clock=(now + timedelta(minutes=1)).isoformat())
    for table in SIZES:
        service.insert(table, [value_of(service, table)] * PAGE)
    return late


VERSIONED = {"emit_activate_version_messages": True}
PLAIN = {"emit_activate_version_messages": False}
# With flattening, the SDK processes each record.
AS_VALUES = {"flattening_enabled": True, "flattening_max_depth": 2}
LIMITED = {"stmt_call_limit": 1, "stmt_call_limit_behavior": "ReturnResults"}
SCENARIOS = {
    "a first load": Scenario(step(LOG_BASED)),
    "a first load by values": Scenario(step(LOG_BASED, **AS_VALUES)),
    "a first load without versions": Scenario(step(LOG_BASED, **PLAIN)),
    "a first load of a small table": Scenario(step(LOG_BASED, fetch_size=100)),
    "a first load without a key": Scenario(step(LOG_BASED, keyed=False)),
    "a first load that is resumed": Scenario(
        step(LOG_BASED), (step(LOG_BASED),), (change,), until="replication_key_value"
    ),
    "changes": Scenario(step(LOG_BASED), (step(LOG_BASED),), (change,)),
    "an expired token": Scenario(step(LOG_BASED), (step(LOG_BASED),), (change, expire)),
    "an expired token of a small table": Scenario(
        step(LOG_BASED, fetch_size=100), (step(LOG_BASED),), (change, expire)
    ),
    "an expired token, by values": Scenario(
        step(LOG_BASED, fetch_size=100, **AS_VALUES), (step(LOG_BASED),), (change, expire)
    ),
    "an expired token without versions": Scenario(
        step(LOG_BASED, **PLAIN), (step(LOG_BASED, **PLAIN),), (change, expire), sees_deletes=False
    ),
    "a first load out of order": Scenario(step(INCREMENTAL), (), (disorder,)),
    "an expired token, out of order": Scenario(
        step(LOG_BASED), (step(LOG_BASED),), (change, expire, disorder)
    ),
    "tracking is refused": Scenario(
        step(LOG_BASED), (step(LOG_BASED),), (change, forbid), sees_deletes=False
    ),
    "tracking is allowed again": Scenario(
        step(LOG_BASED), (step(LOG_BASED), step(LOG_BASED)), (forbid, change, allow)
    ),
    "from INCREMENTAL to LOG_BASED": Scenario(step(LOG_BASED), (step(INCREMENTAL),), (change,)),
    "from INCREMENTAL to LOG_BASED without versions": Scenario(
        step(LOG_BASED, **PLAIN), (step(INCREMENTAL),), (change,), sees_deletes=False
    ),
    "from LOG_BASED to INCREMENTAL": Scenario(
        step(INCREMENTAL), (step(LOG_BASED),), (change,), sees_deletes=False
    ),
    "to FULL_TABLE and back": Scenario(
        step(FULL_TABLE, **VERSIONED), (step(LOG_BASED),), (change,), step(LOG_BASED)
    ),
    "INCREMENTAL": Scenario(
        step(INCREMENTAL), (step(INCREMENTAL),), (begin_late,), tables=(BY_DATE, BY_VERSION)
    ),
    "INCREMENTAL after a call limit": Scenario(
        step(INCREMENTAL),
        (step(INCREMENTAL, **LIMITED),),
        (begin_late,),
        tables=(BY_DATE, BY_VERSION),
    ),
    "a first load by versions": Scenario(step(LOG_BASED), tables=(BY_VERSION,)),
}


class Pipeline:
    """Consecutive runs of the tap, and the messages that a target has loaded.

    Args:
        service: The service.
        catalog: The catalog that the tap discovers.
        tables: The tables that are extracted.
    """

    def __init__(self, service: Sandbox, catalog: Message, tables: tuple[str, ...]) -> None:
        self.service = service
        self.catalog = catalog
        self.tables = tables
        #: The messages that the target has loaded.
        self.messages: list[Message] = []
        self._runs = 0

    def run(self, step: Step, state: Message | None, change: int | None = None) -> Run:
        """Run the tap, traced if `change` is given (see `runs.run`)."""
        chosen = select(self.catalog, {table: TEXTS[table] for table in self.tables})
        for table in self.tables:
            own_metadata(entry(chosen, table))["replication-method"] = step.method
            if not step.keyed:
                del entry(chosen, table)["replication_key"]
        self._runs += 1
        run = runs.run(
            change=change,
            # Table versions are timestamps: each run needs a later one.
            ahead=self._runs,
            config={
                **self.service.settings,
                "fetch_size": PAGE,
                "max_parallel_requests": 1,
                **step.settings,
            },
            catalog=chosen,
            state=state,
        )
        assert run.status == (143 if change else 0), run.log
        return run

    @property
    def state(self) -> Message | None:
        """The last state that the target has loaded."""
        return last_state(self.messages)

    def assert_equal(self, messages: list[Message], context: str, *, sees_deletes: bool) -> None:
        """Assert that a target equals the service after it has loaded further messages."""
        held = Warehouse()
        held.load([*self.messages, *messages])
        for table in self.tables:
            lost, surplus = held.compare(table, KEYS[table], TEXTS[table], self.service.rows(table))
            assert not lost, f"{table} lacks {len(lost)} rows or changes. {context}"
            if sees_deletes:
                assert not surplus, f"{table} has {len(surplus)} deleted rows. {context}"


def last_state(messages: list[Message]) -> Message | None:
    """Return the last state in messages."""
    states = [message["value"] for message in messages if message["type"] == "STATE"]
    return states[-1] if states else None


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    """A sandbox with two pages of each table."""
    with client.running(rows=50, sizes=SIZES) as running:
        yield running


def prepare(service: Sandbox, catalog: Message, scenario: Scenario) -> Pipeline:
    """Run what comes before the events and the interrupted run."""
    pipeline = Pipeline(service, catalog, scenario.tables)
    service.configure(forbidden_tracking=[], clock=scenario.day.isoformat())
    for before in scenario.before:
        for message in pipeline.run(before, pipeline.state).messages:
            pipeline.messages.append(message)
            if scenario.until and message["type"] == "STATE" and scenario.until in str(message):
                break
    return pipeline


@pytest.mark.parametrize("name", SCENARIOS)
def test_run_that_a_signal_ends_anywhere_is_completed_by_the_next_run(
    service: Sandbox, catalog: Message, name: str
) -> None:
    scenario = SCENARIOS[name]
    pipeline = prepare(service, catalog, scenario)
    begun = [
        transaction for event in scenario.events if (transaction := event(service, scenario.day))
    ]
    traced = pipeline.run(scenario.interrupted, pipeline.state, change=0)
    service.clear_faults()
    for transaction in begun:
        transaction.commit()
    completed: dict[str, Run] = {}
    for cut in range(len(traced.messages) + 1):
        written = traced.messages[:cut]
        state = last_state(written) or pipeline.state or {}
        text = json.dumps(
            {name: entry for name, entry in state.get("bookmarks", {}).items() if entry}
        )
        if text not in completed:
            completed[text] = pipeline.run(scenario.after or scenario.interrupted, state)
        pipeline.assert_equal(
            [*written, *completed[text].messages],
            f"The state was {text}.\n{completed[text].log}",
            sees_deletes=scenario.sees_deletes,
        )


def test_signal_at_any_change_of_the_state_writes_that_state(
    service: Sandbox, catalog: Message
) -> None:
    scenario = SCENARIOS["a first load"]
    pipeline = prepare(service, catalog, scenario)
    traced = pipeline.run(scenario.interrupted, None, change=0)
    changes = [message for message in traced.messages if "change" in message]
    assert len(changes) > 5
    for message in changes:
        ended = pipeline.run(scenario.interrupted, None, change=message["change"])
        assert without_versions(ended.state) == without_versions(message["value"])


def without_versions(state: Message) -> Message:
    """Remove table versions, which differ between runs, from a state."""
    entries = state.get("bookmarks", {}).items()
    return {name: {**entry, "version": None} for name, entry in entries}
