"""The machine by which hypothesis makes histories up."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sandbox.client import SandboxError
from tests.simulation import worker
from tests.simulation.warehouse import Warehouse
from tests.storms.schedule import RETRIES, SPEED, weather
from tests.tap import entry, own_metadata, select

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypothesis.strategies import SearchStrategy

    from sandbox.client import Sandbox, Transaction
    from tests.storms.schedule import Fault
    from tests.tap import Message, Run

INCREMENTAL, LOG_BASED, FULL_TABLE = "INCREMENTAL", "LOG_BASED", "FULL_TABLE"

# One table is known by date, one by version number, one has no replication key.
BY_DATE, BY_VERSION, BY_NOTHING = "lead", "teammembership", "bulkdeletefailure"
SETS = {BY_DATE: "leads", BY_VERSION: "teammemberships", BY_NOTHING: "bulkdeletefailures"}
KEYS = {BY_DATE: "leadid", BY_VERSION: "teammembershipid", BY_NOTHING: "bulkdeletefailureid"}
# The columns that are changed, and by which is seen whether a row is up to date.
TEXTS = {
    BY_DATE: ["subject", "companyname", "address1_city"],
    BY_VERSION: ["teamid"],
    BY_NOTHING: ["errordescription"],
}
# What may leave a table, and comes back with the next history.
LEAVING = ["companyname", "address1_city"]
BEGINNING = datetime(2030, 1, 1, tzinfo=UTC)
# Seconds that a transaction of the service may take.
LONGEST = 120

tables = st.sampled_from([BY_DATE, BY_VERSION, BY_NOTHING])
numbers = st.integers(0, 99)


@dataclass(frozen=True)
class Change:
    """Changes of one moment to one table; rows are named by their place, counted round."""

    table: str
    inserts: int
    updates: tuple[int, ...]
    deletes: tuple[int, ...]


changes = st.builds(
    Change,
    table=tables,
    inserts=st.integers(1, 5),
    updates=st.lists(numbers, max_size=2).map(tuple),
    deletes=st.lists(numbers, max_size=2).map(tuple),
)
# In the middle of a run: before which request for a page, and whether it began before the run.
meanwhile: SearchStrategy[list[tuple[int, bool, Change]]] = st.lists(
    st.tuples(st.integers(0, 5), st.booleans(), changes), max_size=2
)


@dataclass
class Open:
    """A transaction that is not committed."""

    transaction: Transaction
    table: str
    begun: datetime
    keys: set[str]
    runs: int = 0


@dataclass
class Setting:
    """What the histories of one test share.

    Attributes:
        service: The service.
        catalog: What the tap discovers, as long as no column came or went.
        method: The replication method, of each table that can be replicated so.
        parallel: How many requests there may be at once.
    """

    service: Sandbox
    catalog: Message
    method: str
    parallel: int

    @property
    def config(self) -> Message:
        """The tap's settings."""
        return {
            **self.service.settings,
            "tables": list(KEYS),
            "fetch_size": 3,
            "max_parallel_requests": self.parallel,
            "ws_retry_count": RETRIES,
            "emit_activate_version_messages": True,
        }


class History(RuleBasedStateMachine):
    """A service that changes, runs of the tap, and a warehouse that takes in what they write."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.setting = setting
        self.warehouse = Warehouse()
        self.service = setting.service
        self.now = BEGINNING
        self.open: list[Open] = []
        self.deleted: dict[str, set[str]] = {table: set() for table in KEYS}
        self.columns = {table: [*texts] for table, texts in TEXTS.items()}
        self.catalog = self._chosen(self.setting.catalog)
        self.made = 0
        self.runs = 0
        self.log = ""
        #: All that the runs wrote.
        self.output = ""

    @initialize()
    def begin(self) -> None:
        """Leave nothing of the history before."""
        self._set_clock(0)
        self.service.clear_faults()
        self.service.configure(forbidden_tables=[], forbidden_tracking=[])
        for table in KEYS:
            if keys := [row[KEYS[table]] for row in self.service.rows(table)]:
                self.service.begin(table, delete=keys).commit()
        (found,) = (t for t in self.service.tables() if t["name"] == BY_DATE)
        for name in found["columns"]:
            if name.startswith("new_"):
                self.service.drop_column(BY_DATE, name)
        for name in set(LEAVING) - set(found["columns"]):
            self.service.add_column(BY_DATE, name)
        for table in (BY_DATE, BY_VERSION):
            if not next(t for t in self.service.tables() if t["name"] == table)["change_tracking"]:
                self.service.track_changes(table, on=True)

    def _chosen(self, catalog: Message) -> Message:
        """Select the columns, and choose the replication methods."""
        chosen = select(catalog, dict(self.columns))
        for table in KEYS:
            method = self.setting.method if table != BY_NOTHING else FULL_TABLE
            own_metadata(entry(chosen, table))["replication-method"] = method
        return chosen

    # What happens at the service.

    @rule(change=changes)
    def change(self, change: Change) -> None:
        """Change some rows at once."""
        self.service.begin(change.table, **self._order(change), late=False).commit()

    @rule(change=changes)
    def begin_late(self, change: Change) -> None:
        """Begin to change some rows."""
        self._begin(change)

    @precondition(lambda self: self.open)
    @rule(number=numbers)
    def commit_late(self, number: int) -> None:
        """Let everybody see what was begun."""
        self.open.pop(number % len(self.open)).transaction.commit()

    @rule(
        table=st.sampled_from([BY_DATE, BY_VERSION]),
        late=changes,
        change=changes,
        seconds=st.sampled_from([1, 59]),
    )
    def overtake(self, table: str, late: Change, change: Change, seconds: int) -> None:
        """Begin to change some rows, and commit that when a run has gone past it."""
        late, change = replace(late, table=table), replace(change, table=table)
        begun = self._begin(late)
        self.let_time_pass(seconds)
        self.change(change)
        self.run([])
        if begun in self.open:
            self.open.remove(begun)
            begun.transaction.commit()

    @rule(seconds=st.sampled_from([1, 59, 600]))
    def let_time_pass(self, seconds: int) -> None:
        """Move the service's clock; no transaction takes longer than the service lets it."""
        for each in list(self.open):
            if self.now + timedelta(seconds=seconds) - each.begun > timedelta(seconds=LONGEST):
                self.open.remove(each)
                each.transaction.commit()
        self._set_clock(seconds)

    @precondition(lambda self: not self.open)
    @rule(name=st.sampled_from(LEAVING))
    def drop_column(self, name: str) -> None:
        """Take a column away, of which the catalog is not told."""
        if name in self.columns[BY_DATE]:
            self.service.drop_column(BY_DATE, name)
            self.columns[BY_DATE].remove(name)

    @precondition(lambda self: not self.open)
    @rule()
    def add_column(self) -> None:
        """Give a table a column, and make the catalog anew."""
        self.made += 1
        name = f"new_{self.made}"
        self.service.add_column(BY_DATE, name)
        self.columns[BY_DATE].append(name)
        run = worker.run("--discover", config=self.setting.config)
        assert run.status == 0, run.log
        self.catalog = self._chosen(json.loads(run.output))

    @rule(table=tables, tracking=st.booleans())
    def forbid(self, table: str, tracking: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """Take the privilege to read a table, or its changes, from the next run."""
        names = "forbidden_tracking" if tracking else "forbidden_tables"
        self.service.configure(**{names: [table]})

    def _allow(self) -> None:
        """Give all privileges back."""
        self.service.configure(forbidden_tables=[], forbidden_tracking=[])

    @precondition(lambda self: self.setting.method == LOG_BASED and not self.open)
    @rule()
    def expire_delta_tokens(self) -> None:
        """Let the delta tokens have expired."""
        self.service.expire_delta_tokens()

    @precondition(lambda self: self.setting.method == LOG_BASED and not self.open)
    @rule(
        table=st.sampled_from([BY_DATE, BY_VERSION]),
        change=changes,
        requests=st.integers(1, 9),
        late=st.booleans(),
    )
    def change_while_loading(self, table: str, change: Change, requests: int, late: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """Change rows of a table of several pages while all of it is read."""
        self.change(Change(table, inserts=7, updates=(), deletes=()))
        self.service.expire_delta_tokens()
        self.run([(requests, late, replace(change, table=table))])

    @precondition(lambda self: self.setting.method == LOG_BASED and not self.open)
    @rule(table=st.sampled_from([BY_DATE, BY_VERSION]), on=st.booleans())
    def track_changes(self, table: str, on: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """Switch change tracking off or on."""
        self.service.track_changes(table, on=on)

    # What the tap does.

    @rule(meanwhile=meanwhile)
    def run(self, meanwhile: list[tuple[int, bool, Change]]) -> None:
        """Run the tap, while some rows change."""
        run = self._run(meanwhile)
        assert run.status == 0, run.log

    @rule(meanwhile=meanwhile, faults=weather)
    def run_in_a_storm(
        self, meanwhile: list[tuple[int, bool, Change]], faults: list[Fault]
    ) -> None:
        """Run the tap while requests fail, to its end or until one has failed too often."""
        run = self._run(meanwhile, faults=faults)
        assert run.status in {0, 1}, run.log
        assert "Traceback" not in run.log, run.log

    @rule(meanwhile=meanwhile, lines=st.integers(1, 40))
    def run_until_killed(self, meanwhile: list[tuple[int, bool, Change]], lines: int) -> None:
        """Run the tap, and kill it after so many messages."""
        self._run(meanwhile, lines)

    @rule()
    def compare(self) -> None:
        """Let everything come to rest, run once more, and compare."""
        while self.open:
            self.open.pop().transaction.commit()
        self._allow()
        if self.setting.method == LOG_BASED:
            for table in self.service.tables():
                if table["name"] in {BY_DATE, BY_VERSION} and not table["change_tracking"]:
                    self.service.track_changes(table["name"], on=True)
        self.run([])
        for name in KEYS:
            self._assert_equal(name)

    def teardown(self) -> None:
        """Compare at the end of every history."""
        self.compare()

    def _run(
        self,
        meanwhile: list[tuple[int, bool, Change]],
        lines: int | None = None,
        faults: Iterable[Fault] = (),
    ) -> Run:
        for each in list(self.open):
            # Of a table that is read by version, a run reads again what the run before it read.
            if each.runs and each.table == BY_VERSION:
                self.open.remove(each)
                each.transaction.commit()
            each.runs += 1
        begun = []
        for skip, late, change in meanwhile:
            begun.append(self._begin(change, late=late))
            path = f"/{SETS[change.table]}?"
            self.service.fault(path, skip=skip, commit=begun[-1].transaction.number)
        for fault in faults:
            self.service.fault(**fault.order)
        self.runs += 1
        run = worker.run(
            lines=lines,
            ahead=self.runs,
            speed=SPEED if faults else 1,
            config=self.setting.config,
            catalog=self.catalog,
            state=self.warehouse.state or None,
        )
        self.log = run.log
        self.service.clear_faults()
        for each in begun:
            self.open.remove(each)
            # Unless a request was made before which it should be.
            with suppress(SandboxError):
                each.transaction.commit()
        self._allow()
        self.warehouse.take(run.messages)
        self.output += run.output
        return run

    def _set_clock(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.service.configure(clock=self.now.isoformat())

    def _begin(self, change: Change, *, late: bool = True) -> Open:
        order = self._order(change)
        transaction = self.service.begin(change.table, **order, late=late)
        keys = {row[KEYS[change.table]] for row in order["insert"]}
        keys |= {*order["update"], *order["delete"]}
        self.open.append(Open(transaction, change.table, self.now, keys))
        return self.open[-1]

    def _order(self, change: Change) -> Message:
        """Name the rows of a change."""
        table, taken = change.table, {key for each in self.open for key in each.keys}
        rows = [row[KEYS[table]] for row in self.service.rows(table)]
        free = [key for key in rows if key not in taken]
        updates = {free[place % len(free)] for place in change.updates if free}
        deletes = {free[place % len(free)] for place in change.deletes if free} - updates
        self.deleted[table] |= deletes
        return {
            "insert": [
                {KEYS[table]: self._id(), **self._values(table)} for _ in range(change.inserts)
            ],
            "update": {key: self._values(table) for key in sorted(updates)},
            "delete": sorted(deletes),
        }

    def _id(self) -> str:
        """Make an id: the same in the same history, and in no order."""
        self.made += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, str(self.made)))

    def _values(self, table: str) -> dict[str, Any]:
        """Make values that no row had before."""
        return {column: self._id() for column in self.columns[table]}

    def _assert_equal(self, table: str) -> None:
        """Compare a table of the warehouse with the service's."""
        columns = [KEYS[table], *self.columns[table]]
        held = self.warehouse.tables.get(table)
        found = {
            key: {column: row.get(column) for column in columns}
            for (key,), row in (held.living if held else {}).items()
        }
        expected = {
            row[KEYS[table]]: {column: row[column] for column in columns}
            for row in self.service.rows(table)
        }
        if self.setting.method == INCREMENTAL:
            found = {
                k: row for k, row in found.items() if k in expected or k not in self.deleted[table]
            }
        lost = {key: row for key, row in expected.items() if found.get(key) != row}
        assert not lost, f"{table} lacks rows or changes: {lost}\n{self.log}"
        ghosts = found.keys() - expected.keys()
        assert not ghosts, f"{table} has rows that are deleted: {ghosts}\n{self.log}"
