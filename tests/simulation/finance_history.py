"""State machine of the simulation of Finance & Operations."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from sandbox.client import SandboxError
from sandbox.faults.finance_mishaps import FINANCE_KINDS
from tests.simulation import runs
from tests.simulation.finance_changes import (
    BY_DATE,
    BY_VERSION,
    COMPANIES,
    DEFAULT,
    JOINED,
    KEYS,
    VALUES,
    Change,
    OpenTransaction,
    Writer,
    changes,
    folded,
    key_of,
    place_of,
    positions,
    tables,
)
from tests.simulation.history import BEGINNING
from tests.simulation.warehouse import Warehouse
from tests.storms.schedule import INCREMENTAL, RETRIES, SPEED, Strategies
from tests.tap import entry, own_metadata, select

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.finance_client import FinanceSandbox
    from tests.simulation.finance_changes import Key
    from tests.storms.schedule import Fault
    from tests.tap import Message, Run

FAULTS = Strategies(FINANCE_KINDS, "/data/", [*KEYS], ["$metadata"])
FETCH_SIZE = 3
GROWING = (BY_DATE, BY_VERSION)
# Longer than `lookback_seconds`.
LONG = 600
FILTERS = ("dataAreaId eq 'usmf'", "dataAreaId eq 'demf'", "not (dataAreaId eq 'usmf')")

# Changes during a run: the number of the request before which the change is committed, and whether
# its rows have the time of the beginning of the transaction (otherwise, of the commit).
meanwhile = st.lists(st.tuples(st.integers(0, 5), st.booleans(), changes), max_size=2)


@dataclass
class Setup:
    """What the histories of one test have in common.

    Attributes:
        service: The service.
        catalog: What the tap discovers.
        method: The replication method of the sets that have a replication key.
        parallel: The maximum number of parallel requests.
    """

    service: FinanceSandbox
    catalog: Message
    method: str
    parallel: int

    def is_incremental(self, table: str) -> bool:
        """Return whether a set is replicated by its replication key."""
        return self.method == INCREMENTAL and table in GROWING

    def chosen(self) -> Message:
        """Select the columns, and set the replication methods."""
        catalog = select(self.catalog, dict(VALUES))
        for table in KEYS:
            method = self.method if table in GROWING else "FULL_TABLE"
            own_metadata(entry(catalog, table))["replication-method"] = method
        return catalog


@dataclass
class Pass:
    """One pass over a set: the runs after a complete one, up to the next complete one.

    Attributes:
        values: The values that each key had during the pass, if they changed; None for no row.
    """

    values: dict[Key, list[Message | None]] = field(default_factory=dict)


class FinanceHistory(RuleBasedStateMachine):
    """A service that changes, runs of the tap, and a warehouse that loads their messages."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup = setup
        self.service = setup.service
        self.catalog = setup.chosen()
        self.warehouse = Warehouse()
        self.writer = Writer(setup.service)
        self.now = BEGINNING
        self.open: list[OpenTransaction] = []
        self.runs = 0
        self.is_wide, self.has_versions, self.filters = True, True, dict[str, str]()
        #: Sets of which rows of all companies were read once.
        self.was_wide: set[str] = set()
        self.passes = {table: Pass() for table in KEYS}
        #: Rows of which only a column of a joined table has changed since they were sent.
        self.joined: set[Key] = set()

    @initialize(has_versions=st.booleans(), is_wide=st.booleans(), seed=st.integers(0, 999))
    def begin(self, has_versions: bool, is_wide: bool, seed: int) -> None:  # noqa: FBT001 - drawn
        """Reset the service: rows, clock, faults."""
        self.has_versions, self.is_wide = has_versions, is_wide
        self._set_clock(0)
        self.service.clear_faults()
        self.service.mend()
        self.service.configure(forbidden_tables=[])
        for table in KEYS:
            if keys := [place_of(table, row) for row in self.service.rows(table)]:
                self.service.begin(table, delete=keys).commit()
            self.change(Change(table, seed, inserts=9))

    # Events at the service.

    @rule(change=changes)
    def change(self, change: Change) -> None:
        """Change rows in a transaction that is committed at once."""
        self._begin(change, late=False)
        self._commit(self.open[-1])

    @rule(place=positions)
    def change_joined(self, place: int) -> None:
        """Change a column of a joined table."""
        taken = self._taken(BY_DATE)
        rows = [r for r in self.service.rows(BY_DATE) if folded(key_of(BY_DATE, r)) not in taken]
        if rows:
            row = rows[place % len(rows)]
            value = self.writer.values(BY_DATE)[JOINED]
            self.service.update_joined(BY_DATE, place_of(BY_DATE, row), {JOINED: value})
            self._note(BY_DATE, row, {**row, JOINED: value})
            self.joined.add(key_of(BY_DATE, row))

    @rule(
        table=st.sampled_from(GROWING),
        late=changes,
        change=changes,
        seconds=st.sampled_from([1, 59]),
    )
    def overtake(self, table: str, late: Change, change: Change, seconds: int) -> None:
        """Begin a transaction, and commit it after a run whose bookmark is later."""
        begun = self._begin(_in(late, table))
        self._set_clock(seconds)
        self.change(_in(change, table))
        self.run([])
        self._commit(begun)

    @rule(seconds=st.sampled_from([1, 59, LONG]))
    def let_time_pass(self, seconds: int) -> None:
        """Advance the service's clock."""
        self._set_clock(seconds)

    @rule(honoured=st.booleans(), cap=st.sampled_from([2, 3, 10_000]))
    def change_pages(self, honoured: bool, cap: int) -> None:  # noqa: FBT001 - drawn
        """Let the service honour the page size that it is asked for, or ignore it."""
        self.service.configure(honours_page_size=honoured, page_size_cap=cap)

    # Events at the tap's settings.

    @rule()
    def change_scope(self) -> None:
        """Lose the setting cross_company, or set it again."""
        self.is_wide = not self.is_wide

    @rule()
    def switch_versions(self) -> None:
        """Switch table versions off or on."""
        self.has_versions = not self.has_versions

    @rule(
        table=st.sampled_from([t for t in KEYS if "dataAreaId" in KEYS[t]]),
        condition=st.sampled_from([*FILTERS, None]),
    )
    def change_filter(self, table: str, condition: str | None) -> None:
        """Give a set another filter, or none."""
        self.filters = {name: text for name, text in self.filters.items() if name != table}
        if condition is not None:
            self.filters[table] = condition

    # Runs of the tap.

    @rule(meanwhile=meanwhile)
    def run(self, meanwhile: list[tuple[int, bool, Change]]) -> None:
        """Run the tap while rows change."""
        run = self._run(meanwhile)
        assert run.status == 0, run.log

    @rule(meanwhile=meanwhile, faults=FAULTS.run_faults)
    def run_with_faults(
        self, meanwhile: list[tuple[int, bool, Change]], faults: list[Fault]
    ) -> None:
        """Run the tap while rows change and requests fail; the run may fail too."""
        run = self._run(meanwhile, faults=faults)
        assert run.status in {0, 1}, run.log
        assert "Traceback" not in run.log, run.log

    @rule(table=tables, row=st.integers(0, 9), meanwhile=meanwhile)
    def run_with_broken_row(
        self, table: str, row: int, meanwhile: list[tuple[int, bool, Change]]
    ) -> None:
        """Run the tap while the X++ code of a set fails for its rows from one on."""
        self.service.break_entity(table, from_row=row, rows=99)
        run = self._run(meanwhile)
        self.service.mend()
        assert run.status in {0, 1}, run.log

    @rule(table=tables)
    def run_without_right(self, table: str) -> None:
        """Run the tap while a set may not be read."""
        self.service.configure(forbidden_tables=[table])
        run = self._run([])
        self.service.configure(forbidden_tables=[])
        assert run.status == 0, run.log

    @rule(meanwhile=meanwhile, lines=st.integers(1, 60))
    def run_until_killed(self, meanwhile: list[tuple[int, bool, Change]], lines: int) -> None:
        """Run the tap while rows change, and kill it after some messages."""
        self._run(meanwhile, lines)

    def teardown(self) -> None:
        """Compare at the end of every history, after a run that nothing disturbs."""
        self.run([])
        # A read that was continued does not see the rows before its place again.
        self.run([])

    def _run(
        self,
        meanwhile: list[tuple[int, bool, Change]],
        lines: int | None = None,
        faults: Iterable[Fault] = (),
    ) -> Run:
        begun = []
        for skip, late, change in meanwhile:
            begun.append(self._begin(change, late=late))
            path = f"/{change.table}?"
            self.service.fault(path, skip=skip, commit=begun[-1].transaction.number)
        for fault in faults:
            self.service.fault(**fault.order)
        self.runs += 1
        run = runs.run(
            lines=lines,
            ahead=self.runs,
            speed=SPEED if faults else 1,
            config=self._config(),
            catalog=self.catalog,
            state=self.warehouse.state or None,
        )
        self.service.clear_faults()
        for each in begun:
            # A transaction whose request has been made is committed already.
            self._commit(each)
        self.warehouse.load(run.messages)
        for table in KEYS:
            self._check(table, run, is_killed=lines is not None)
        return run

    def _config(self) -> Message:
        return {
            **self.service.settings,
            "tables": list(KEYS),
            "fetch_size": FETCH_SIZE,
            "max_parallel_requests": self.setup.parallel,
            "filters": self.filters,
            "ws_retry_count": RETRIES,
            "cross_company": self.is_wide,
            "emit_activate_version_messages": self.has_versions,
        }

    def _set_clock(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.service.configure(clock=self.now.isoformat())

    def _taken(self, table: str) -> set[Key]:
        return {key for each in self.open if each.table == table for key in each.keys}

    def _begin(self, change: Change, *, late: bool = True) -> OpenTransaction:
        table = change.table
        order = self.writer.order(change, self._taken(table))
        rows = {place_of(table, row): row for row in self.service.rows(table)}
        for key, values in order["update"].items():
            self._note(table, rows[key], {**rows[key], **values})
        for key in order["delete"]:
            self._note(table, rows[key], None)
        for row in order["insert"]:
            self._note(table, None, row)
        keys = {folded(key_of(table, row)) for row in order["insert"]}
        places = [*order["update"], *order["delete"]]
        keys |= {folded(key_of(table, rows[place])) for place in places}
        self.open.append(
            OpenTransaction(self.service.begin(table, **order, late=late), table, keys)
        )
        return self.open[-1]

    def _commit(self, begun: OpenTransaction) -> None:
        if begun in self.open:
            self.open.remove(begun)
            with suppress(SandboxError):
                begun.transaction.commit()

    def _note(self, table: str, before: Message | None, after: Message | None) -> None:
        """Note the values that a key has during the pass."""
        key = key_of(table, before or after or {})
        self.passes[table].values.setdefault(key, [before]).append(after)

    # Comparison.

    def _held(self, table: str) -> dict[Key, list[Any]]:
        """Return what the warehouse holds of a set."""
        if table not in self.warehouse.tables:
            return {}
        rows = self.warehouse.tables[table].current.values()
        return {key_of(table, row): [row[name] for name in VALUES[table]] for row in rows}

    def _is_left(self, table: str, row: Message) -> bool:
        """Return whether the settings let a row be read."""
        company = row.get("dataAreaId", DEFAULT)
        condition = self.filters.get(table, "")
        literal = condition.partition("eq '")[2].rstrip("')")
        fits = not condition or (company == literal) != condition.startswith("not")
        return fits and company in (COMPANIES if self.is_wide else [DEFAULT])

    def _check(self, table: str, run: Run, *, is_killed: bool) -> None:
        """Compare a set with the service, if it was read completely."""
        sent = [m["type"] for m in run.messages if m.get("stream") in {table, None}]
        activated = "ACTIVATE_VERSION" in sent
        context = f"{table}: {json.dumps(self.warehouse.state)}\n{run.log}"
        is_narrower = not self.is_wide and table in self.was_wide
        failed = f"Table '{table}' failed" in run.log or f"Skipped '{table}'" in run.log
        assert not (activated and (failed or is_narrower)), context
        if self.is_wide and "RECORD" in sent and "STATE" in sent[sent.index("RECORD") :]:
            self.was_wide.add(table)
        is_complete = activated or not (is_killed or failed or run.status)
        if not is_complete:
            return
        if self.is_wide:
            self.was_wide.add(table)
        found = self._held(table)
        rows = {key_of(table, row): row for row in self.service.rows(table)}
        expected = {
            key: [row[name] for name in VALUES[table]]
            for key, row in rows.items()
            if self._is_left(table, row)
        }
        for key in found.keys() | expected.keys():
            if key in found and key not in expected and not activated:
                # The tap can't tell that the row is gone, or it must not.
                continue
            allowed = [expected.get(key), *self._during(table, key)]
            assert self._seen(table, key, found.get(key), allowed), (
                f"{key} is {found.get(key)}, but was {allowed} at the service. {context}"
            )
        for key in self.joined & found.keys():
            if found[key] == expected.get(key):
                self.joined.discard(key)
        # A run that is killed may leave a state from before the end of the pass.
        if not is_killed:
            self.passes[table] = Pass()

    def _during(self, table: str, key: Key) -> list[list[Any] | None]:
        """Return the values that a row had during the pass."""
        return [
            [row[name] for name in VALUES[table]] if row and self._is_left(table, row) else None
            for row in self.passes[table].values.get(key, [])
        ]

    def _seen(
        self, table: str, key: Key, found: list[Any] | None, allowed: list[list[Any] | None]
    ) -> bool:
        """Return whether a value is one of those that the tap may have seen."""
        if self.setup.is_incremental(table) and key in self.joined and found is not None:
            return any(found[:1] == each[:1] for each in allowed if each is not None)
        return found in allowed


def _in(change: Change, table: str) -> Change:
    """Return a change of another set."""
    return Change(table, *list(vars(change).values())[1:])
