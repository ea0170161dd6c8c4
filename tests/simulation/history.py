"""State machine of the simulation: hypothesis chooses events of the service and runs."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sandbox.client import SandboxError
from tests.simulation import runs
from tests.simulation.warehouse import Warehouse
from tests.storms.schedule import (
    DATAVERSE,
    FULL_TABLE,
    INCREMENTAL,
    LOG_BASED,
    RETRIES,
    SETS,
    SPEED,
)
from tests.tap import entry, own_metadata, select

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypothesis.strategies import SearchStrategy

    from sandbox.client import Sandbox, Transaction
    from tests.storms.schedule import Fault
    from tests.tap import Message, Run

# Replication keys: a date, a version number, none.
BY_DATE, BY_VERSION, BY_NOTHING = "lead", "teammembership", "bulkdeletefailure"
KEYS = {BY_DATE: "leadid", BY_VERSION: "teammembershipid", BY_NOTHING: "bulkdeletefailureid"}
# The columns that are changed and compared.
TEXTS = {
    BY_DATE: ["subject", "companyname", "address1_city"],
    BY_VERSION: ["teamid"],
    BY_NOTHING: ["errordescription"],
}
# Columns that a history may drop; the next history adds them again.
DROPPABLE = ["companyname", "address1_city"]
BEGINNING = datetime(2030, 1, 1, tzinfo=UTC)
# The time after which the service commits a transaction at the latest.
MAX_TRANSACTION_TIME = timedelta(seconds=120)

tables = st.sampled_from([BY_DATE, BY_VERSION, BY_NOTHING])
positions = st.integers(0, 99)


@dataclass(frozen=True)
class Change:
    """Changes of one transaction to one table.

    Attributes:
        table: The table.
        inserts: The number of new rows.
        updates: Positions of the rows to update, modulo the number of rows.
        deletes: Positions of the rows to delete, likewise.
    """

    table: str
    inserts: int
    updates: tuple[int, ...]
    deletes: tuple[int, ...]


changes = st.builds(
    Change,
    table=tables,
    inserts=st.integers(1, 5),
    updates=st.lists(positions, max_size=2).map(tuple),
    deletes=st.lists(positions, max_size=2).map(tuple),
)
# Changes during a run: the number of the page request before which the change is committed, and
# whether its rows have the time of the beginning of the transaction (otherwise, of the commit).
meanwhile: SearchStrategy[list[tuple[int, bool, Change]]] = st.lists(
    st.tuples(st.integers(0, 5), st.booleans(), changes), max_size=2
)


@dataclass
class OpenTransaction:
    """A transaction that is not committed."""

    transaction: Transaction
    table: str
    begun: datetime
    keys: set[str]
    runs: int = 0


@dataclass
class Setup:
    """What the histories of one test have in common.

    Attributes:
        service: The service.
        catalog: The catalog at the beginning of each history.
        method: The replication method of each table that supports it.
        parallel: The maximum number of parallel requests.
        filters: The filters of tables.
    """

    service: Sandbox
    catalog: Message
    method: str
    parallel: int
    filters: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Message:
        """The tap's settings."""
        return {
            **self.service.settings,
            "tables": list(KEYS),
            "fetch_size": 3,
            "max_parallel_requests": self.parallel,
            "filters": self.filters,
            "ws_retry_count": RETRIES,
            "emit_activate_version_messages": True,
        }


class History(RuleBasedStateMachine):
    """A service that changes, runs of the tap, and a warehouse that loads their messages."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup = setup
        self.warehouse = Warehouse()
        self.service = setup.service
        self.now = BEGINNING
        self.open: list[OpenTransaction] = []
        self.deleted: dict[str, set[str]] = {table: set() for table in KEYS}
        self.columns = {table: [*texts] for table, texts in TEXTS.items()}
        self.catalog = self._chosen(self.setup.catalog)
        self.made = 0
        self.runs = 0
        self.log = ""
        #: The output of all runs.
        self.output = ""

    @initialize()
    def begin(self) -> None:
        """Reset the service: rows, columns, privileges, change tracking."""
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
        for name in set(DROPPABLE) - set(found["columns"]):
            self.service.add_column(BY_DATE, name)
        for table in (BY_DATE, BY_VERSION):
            if not next(t for t in self.service.tables() if t["name"] == table)["change_tracking"]:
                self.service.track_changes(table, on=True)

    def _chosen(self, catalog: Message) -> Message:
        """Select the columns, and set the replication methods."""
        chosen = select(catalog, dict(self.columns))
        for table in KEYS:
            method = self.setup.method if table != BY_NOTHING else FULL_TABLE
            own_metadata(entry(chosen, table))["replication-method"] = method
        return chosen

    # Events at the service.

    @rule(change=changes)
    def change(self, change: Change) -> None:
        """Change rows in a transaction that is committed at once."""
        self.service.begin(change.table, **self._order(change), late=False).commit()

    @rule(change=changes)
    def begin_late(self, change: Change) -> None:
        """Begin a transaction that changes rows."""
        self._begin(change)

    @precondition(lambda self: self.open)
    @rule(number=positions)
    def commit_late(self, number: int) -> None:
        """Commit a transaction."""
        self.open.pop(number % len(self.open)).transaction.commit()

    @rule(
        table=st.sampled_from([BY_DATE, BY_VERSION]),
        late=changes,
        change=changes,
        seconds=st.sampled_from([1, 59]),
    )
    def overtake(self, table: str, late: Change, change: Change, seconds: int) -> None:
        """Begin a transaction, and commit it after a run whose bookmark is later."""
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
        """Advance the service's clock, and commit transactions that reach the time limit."""
        for each in list(self.open):
            if self.now + timedelta(seconds=seconds) - each.begun > MAX_TRANSACTION_TIME:
                self.open.remove(each)
                each.transaction.commit()
        self._set_clock(seconds)

    @precondition(lambda self: not self.open)
    @rule(name=st.sampled_from(DROPPABLE))
    def drop_column(self, name: str) -> None:
        """Drop a column that the catalog still contains."""
        if name in self.columns[BY_DATE]:
            self.service.drop_column(BY_DATE, name)
            self.columns[BY_DATE].remove(name)

    @precondition(lambda self: not self.open)
    @rule()
    def add_column(self) -> None:
        """Add a column, and discover the catalog again."""
        self.made += 1
        name = f"new_{self.made}"
        self.service.add_column(BY_DATE, name)
        self.columns[BY_DATE].append(name)
        self.catalog = self._chosen(runs.discover(self.setup.config))

    @rule(table=tables, tracking=st.booleans())
    def forbid(self, table: str, tracking: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """Revoke the privilege to read a table, or its changes, for the next run."""
        names = "forbidden_tracking" if tracking else "forbidden_tables"
        self.service.configure(**{names: [table]})

    def _allow(self) -> None:
        """Grant all privileges again."""
        self.service.configure(forbidden_tables=[], forbidden_tracking=[])

    @precondition(lambda self: self.setup.method == LOG_BASED and not self.open)
    @rule()
    def expire_delta_tokens(self) -> None:
        """Expire all delta tokens."""
        self.service.expire_delta_tokens()

    @precondition(lambda self: self.setup.method == LOG_BASED and not self.open)
    @rule(
        table=st.sampled_from([BY_DATE, BY_VERSION]),
        change=changes,
        requests=st.integers(1, 9),
        late=st.booleans(),
    )
    def change_while_loading(self, table: str, change: Change, requests: int, late: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """Change rows of a table during a run that reads all its pages."""
        self.change(Change(table, inserts=7, updates=(), deletes=()))
        self.service.expire_delta_tokens()
        self.run([(requests, late, replace(change, table=table))])

    @precondition(lambda self: self.setup.method == LOG_BASED and not self.open)
    @rule(table=st.sampled_from([BY_DATE, BY_VERSION]), on=st.booleans())
    def track_changes(self, table: str, on: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        """Switch change tracking off or on."""
        self.service.track_changes(table, on=on)

    # Runs of the tap.

    @rule(meanwhile=meanwhile)
    def run(self, meanwhile: list[tuple[int, bool, Change]]) -> None:
        """Run the tap while rows change."""
        run = self._run(meanwhile)
        assert run.status == 0, run.log

    @rule(meanwhile=meanwhile, faults=DATAVERSE.run_faults)
    def run_with_faults(
        self, meanwhile: list[tuple[int, bool, Change]], faults: list[Fault]
    ) -> None:
        """Run the tap while rows change and requests fail; the run may fail too."""
        run = self._run(meanwhile, faults=faults)
        assert run.status in {0, 1}, run.log
        assert "Traceback" not in run.log, run.log

    @rule(meanwhile=meanwhile, lines=st.integers(1, 40))
    def run_until_killed(self, meanwhile: list[tuple[int, bool, Change]], lines: int) -> None:
        """Run the tap while rows change, and kill it after some messages."""
        self._run(meanwhile, lines)

    @rule()
    def compare(self) -> None:
        """Commit all transactions, run the tap, and compare the warehouse with the service."""
        while self.open:
            self.open.pop().transaction.commit()
        self._allow()
        if self.setup.method == LOG_BASED:
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
            # Only the last run's rows of a table with a version key are read again: a transaction
            # that lasts longer would be lost.
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
        run = runs.run(
            lines=lines,
            ahead=self.runs,
            speed=SPEED if faults else 1,
            config=self.setup.config,
            catalog=self.catalog,
            state=self.warehouse.state or None,
        )
        self.log = run.log
        self.service.clear_faults()
        for each in begun:
            self.open.remove(each)
            # A transaction whose request has been made is committed already.
            with suppress(SandboxError):
                each.transaction.commit()
        self._allow()
        self.warehouse.load(run.messages)
        self.output += run.output
        return run

    def _set_clock(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.service.configure(clock=self.now.isoformat())

    def _begin(self, change: Change, *, late: bool = True) -> OpenTransaction:
        order = self._order(change)
        transaction = self.service.begin(change.table, **order, late=late)
        keys = {row[KEYS[change.table]] for row in order["insert"]}
        keys |= {*order["update"], *order["delete"]}
        self.open.append(OpenTransaction(transaction, change.table, self.now, keys))
        return self.open[-1]

    def _order(self, change: Change) -> Message:
        """Choose the rows of a change."""
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
        """Make an ID that depends only on the history; IDs are not sorted."""
        self.made += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, str(self.made)))

    def _values(self, table: str) -> dict[str, Any]:
        """Make values that no row has had."""
        return {column: self._id() for column in self.columns[table]}

    def _assert_equal(self, table: str) -> None:
        """Assert that a table of the warehouse equals that of the service."""
        lost, surplus = self.warehouse.compare(
            table, KEYS[table], self.columns[table], self.service.rows(table)
        )
        assert not lost, f"{table} lacks rows or changes: {lost}\n{self.log}"
        if self.setup.method == INCREMENTAL:
            surplus -= self.deleted[table]
        assert not surplus, f"{table} has rows that are deleted: {surplus}\n{self.log}"
