"""Wherever a signal ends a run, the next run goes on from its state and nothing is lost.

The run that is watched writes each state that it has, be it for one step of the interpreter. From
each of them the next run is made, and for each line behind which the watched run may have ended,
what a target then holds is compared with the service.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import client
from tests.simulation import worker
from tests.simulation.history import BEGINNING, FULL_TABLE, INCREMENTAL, KEYS, LOG_BASED, TEXTS
from tests.simulation.warehouse import Warehouse
from tests.tap import entry, own_metadata, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sandbox.client import Sandbox, Transaction
    from tests.tap import Message, Run

    Event = Callable[[Sandbox, datetime], Transaction | None]

# One table is known by date, one by version number; each has two pages.
BY_DATE, BY_VERSION = "lead", "teammembership"
SIZES = {BY_DATE: 5, BY_VERSION: 4}
PAGE = 3


@dataclass(frozen=True)
class Step:
    """How the tap is run once.

    Attributes:
        method: The replication method.
        keyed: Whether tables have a replication key.
        settings: Of the tap.
    """

    method: str
    keyed: bool = True
    settings: dict[str, Any] = field(default_factory=dict)


def step(method: str, *, keyed: bool = True, **settings: Any) -> Step:
    """Say how the tap is run once."""
    return Step(method, keyed, settings)


@dataclass(frozen=True)
class Story:
    """What happens.

    Attributes:
        watched: The run that a signal may end.
        before: The runs before it.
        events: What happens at the service in between. A transaction is committed behind the
            watched run.
        after: The run after it; None is one like the watched one.
        until: What the last state must say that is taken in of the run before; "" is all of it.
        sees_deletes: Whether a target has to know of deletes.
        tables: What is read.
    """

    watched: Step
    before: tuple[Step, ...] = ()
    events: tuple[Event, ...] = ()
    after: Step | None = None
    until: str = ""
    sees_deletes: bool = True
    tables: tuple[str, ...] = (BY_DATE,)

    @property
    def day(self) -> datetime:
        """The service's time before the events: it stands still, and is a day of each story."""
        return BEGINNING + timedelta(days=[*STORIES.values()].index(self))


def value_of(service: Sandbox, table: str) -> Message:
    """Make values for a row."""
    team = service.rows("team")[0]["teamid"]
    return {column: team if column == "teamid" else "Changed" for column in TEXTS[table]}


def change(service: Sandbox, _: datetime) -> None:
    """Add, change and delete rows."""
    for table in SIZES:
        gone, changed = (row[KEYS[table]] for row in service.rows(table)[:2])
        service.delete(table, gone)
        service.update(table, changed, value_of(service, table))
        service.insert(table, [value_of(service, table)] * 2)


def expire(service: Sandbox, _: datetime) -> None:
    """Let delta tokens have expired."""
    service.expire_delta_tokens()


def forbid(service: Sandbox, _: datetime) -> None:
    """Refuse change tracking."""
    service.configure(forbidden_tracking=[*SIZES])


def allow(service: Sandbox, _: datetime) -> None:
    """Allow change tracking again."""
    service.configure(forbidden_tracking=[])


def disorder(service: Sandbox, _: datetime) -> None:
    """Let the second page of rows, which are asked for in order, seem older than all others."""
    older = [(r'"modifiedon":"20', '"modifiedon":"19')]
    service.fault(r"/leads\?.*orderby(?!.*top)", skip=1, substitute=older)


def begin_late(service: Sandbox, now: datetime) -> Transaction:
    """Begin a transaction that is overtaken by others."""
    late = service.begin(BY_DATE, insert=[value_of(service, BY_DATE)])
    service.configure(clock=(now + timedelta(minutes=1)).isoformat())
    for table in SIZES:
        service.insert(table, [value_of(service, table)] * PAGE)
    return late


VERSIONED = {"emit_activate_version_messages": True}
PLAIN = {"emit_activate_version_messages": False}
# The SDK's own way through the records.
AS_VALUES = {"flattening_enabled": True, "flattening_max_depth": 2}
LIMITED = {"stmt_call_limit": 1, "stmt_call_limit_behavior": "ReturnResults"}
STORIES = {
    "a first load": Story(step(LOG_BASED)),
    "a first load by values": Story(step(LOG_BASED, **AS_VALUES)),
    "a first load without versions": Story(step(LOG_BASED, **PLAIN)),
    "a first load of a small table": Story(step(LOG_BASED, fetch_size=100)),
    "a first load without a key": Story(step(LOG_BASED, keyed=False)),
    "a first load that is resumed": Story(
        step(LOG_BASED), (step(LOG_BASED),), (change,), until="replication_key_value"
    ),
    "changes": Story(step(LOG_BASED), (step(LOG_BASED),), (change,)),
    "an expired token": Story(step(LOG_BASED), (step(LOG_BASED),), (change, expire)),
    "an expired token of a small table": Story(
        step(LOG_BASED, fetch_size=100), (step(LOG_BASED),), (change, expire)
    ),
    "an expired token, by values": Story(
        step(LOG_BASED, fetch_size=100, **AS_VALUES), (step(LOG_BASED),), (change, expire)
    ),
    "an expired token without versions": Story(
        step(LOG_BASED, **PLAIN), (step(LOG_BASED, **PLAIN),), (change, expire), sees_deletes=False
    ),
    "a first load out of order": Story(step(INCREMENTAL), (), (disorder,)),
    "an expired token, out of order": Story(
        step(LOG_BASED), (step(LOG_BASED),), (change, expire, disorder)
    ),
    "tracking is refused": Story(
        step(LOG_BASED), (step(LOG_BASED),), (change, forbid), sees_deletes=False
    ),
    "tracking is allowed again": Story(
        step(LOG_BASED), (step(LOG_BASED), step(LOG_BASED)), (forbid, change, allow)
    ),
    "from INCREMENTAL to LOG_BASED": Story(step(LOG_BASED), (step(INCREMENTAL),), (change,)),
    "from INCREMENTAL to LOG_BASED without versions": Story(
        step(LOG_BASED, **PLAIN), (step(INCREMENTAL),), (change,), sees_deletes=False
    ),
    "from LOG_BASED to INCREMENTAL": Story(
        step(INCREMENTAL), (step(LOG_BASED),), (change,), sees_deletes=False
    ),
    "to FULL_TABLE and back": Story(
        step(FULL_TABLE, **VERSIONED), (step(LOG_BASED),), (change,), step(LOG_BASED)
    ),
    "INCREMENTAL": Story(
        step(INCREMENTAL), (step(INCREMENTAL),), (begin_late,), tables=(BY_DATE, BY_VERSION)
    ),
    "INCREMENTAL behind a limit": Story(
        step(INCREMENTAL),
        (step(INCREMENTAL, **LIMITED),),
        (begin_late,),
        tables=(BY_DATE, BY_VERSION),
    ),
    "a first load by versions": Story(step(LOG_BASED), tables=(BY_VERSION,)),
}


class Pipeline:
    """Runs of a tap, and a target that takes in what they write.

    Args:
        service: The service.
        catalog: What the tap discovers.
        tables: What is read.
    """

    def __init__(self, service: Sandbox, catalog: Message, tables: tuple[str, ...]) -> None:
        self.service = service
        self.catalog = catalog
        self.tables = tables
        #: What the target has taken in.
        self.messages: list[Message] = []
        self._runs = 0

    def run(self, step: Step, state: Message | None, change: int | None = None) -> Run:
        """Run the tap once."""
        chosen = select(self.catalog, {table: TEXTS[table] for table in self.tables})
        for table in self.tables:
            own_metadata(entry(chosen, table))["replication-method"] = step.method
            if not step.keyed:
                del entry(chosen, table)["replication_key"]
        self._runs += 1
        run = worker.run(
            change=change,
            # Versions are seconds.
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
        """The last state that the target has taken in."""
        return last_state(self.messages)

    def assert_equal(self, messages: list[Message], told: str, *, sees_deletes: bool) -> None:
        """Compare a target that has taken more messages in with the service."""
        held = Warehouse()
        held.take([*self.messages, *messages])
        for table in self.tables:
            columns = [KEYS[table], *TEXTS[table]]
            found = {
                key: {column: row.get(column) for column in columns}
                for (key,), row in held.tables[table].living.items()
            }
            expected = {
                row[KEYS[table]]: {column: row[column] for column in columns}
                for row in self.service.rows(table)
            }
            lost = {key for key, row in expected.items() if found.get(key) != row}
            assert not lost, f"{table} lacks {len(lost)} rows or changes. {told}"
            ghosts = found.keys() - expected.keys()
            assert not (ghosts and sees_deletes), f"{table} has {len(ghosts)} deleted rows. {told}"


def last_state(messages: list[Message]) -> Message | None:
    """Find the last state among messages."""
    states = [message["value"] for message in messages if message["type"] == "STATE"]
    return states[-1] if states else None


@pytest.fixture(scope="module")
def service() -> Iterator[Sandbox]:
    """A Dynamics 365 with two pages of each table."""
    with client.running(rows=50, sizes=SIZES) as running:
        yield running


def told(service: Sandbox, catalog: Message, story: Story) -> Pipeline:
    """Let happen what happens before the run that is watched."""
    pipeline = Pipeline(service, catalog, story.tables)
    service.configure(forbidden_tracking=[], clock=story.day.isoformat())
    for before in story.before:
        for message in pipeline.run(before, pipeline.state).messages:
            pipeline.messages.append(message)
            if story.until and message["type"] == "STATE" and story.until in str(message):
                break
    return pipeline


@pytest.mark.parametrize("name", STORIES)
def test_run_that_a_signal_ends_anywhere_is_completed_by_the_next_run(
    service: Sandbox, catalog: Message, name: str
) -> None:
    story = STORIES[name]
    pipeline = told(service, catalog, story)
    begun = [transaction for event in story.events if (transaction := event(service, story.day))]
    watched = pipeline.run(story.watched, pipeline.state, change=0)
    service.clear_faults()
    for transaction in begun:
        transaction.commit()
    completed: dict[str, Run] = {}
    for cut in range(len(watched.messages) + 1):
        written = watched.messages[:cut]
        state = last_state(written) or pipeline.state or {}
        text = json.dumps(
            {name: entry for name, entry in state.get("bookmarks", {}).items() if entry}
        )
        if text not in completed:
            completed[text] = pipeline.run(story.after or story.watched, state)
        pipeline.assert_equal(
            [*written, *completed[text].messages],
            f"The state was {text}.\n{completed[text].log}",
            sees_deletes=story.sees_deletes,
        )


def test_signal_at_any_change_of_the_state_writes_that_state(
    service: Sandbox, catalog: Message
) -> None:
    story = STORIES["a first load"]
    pipeline = told(service, catalog, story)
    watched = pipeline.run(story.watched, None, change=0)
    told_of = [message for message in watched.messages if "change" in message]
    assert len(told_of) > 5
    for message in told_of:
        ended = pipeline.run(story.watched, None, change=message["change"])
        assert without_versions(ended.state) == without_versions(message["value"])


def without_versions(state: Message) -> Message:
    """Leave out of a state what is another in each run."""
    entries = state.get("bookmarks", {}).items()
    return {name: {**entry, "version": None} for name, entry in entries}
