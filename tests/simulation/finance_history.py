"""State machine of the simulation of Finance & Operations."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
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
    ENUMERATION,
    JOINED,
    KEYS,
    TEXTS,
    VALUES,
    Change,
    OpenTransaction,
    Writer,
    changes,
    folded,
    key_of,
    meanwhile,
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
    from tests.simulation.finance_changes import Key, Note
    from tests.storms.schedule import Fault
    from tests.tap import Message, Run

FAULTS = Strategies(FINANCE_KINDS, "/data/", [*KEYS], ["$metadata"])
FETCH_SIZE = 3
# Rows at the beginning of a history: with several pages of a company, a full read is divided.
ROWS = {TEXTS: 16, ENUMERATION: 16}
GROWING = (BY_DATE, BY_VERSION)
FILTERS = ("dataAreaId eq 'usmf'", "dataAreaId eq 'demf'", "not (dataAreaId eq 'usmf')")


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
        #: The values of rows that changed since a read began, by set; None for no row.
        self.changed: dict[str, dict[Key, list[Message | None]]] = {table: {} for table in KEYS}
        #: Sets of which the last read was not complete.
        self.begun: set[str] = set()
        #: Rows of which a joined table has changed since they were sent.
        self.joined: set[Key] = set()

    @initialize(has_versions=st.booleans(), is_wide=st.booleans(), seed=st.integers(0, 999))
    def begin(self, has_versions: bool, is_wide: bool, seed: int) -> None:  # noqa: FBT001 - drawn
        """Reset the service: rows, clock, faults."""
        self.has_versions, self.is_wide = has_versions, is_wide
        self._set_clock(0)
        self.service.clear_faults()
        self.service.mend()
        self.service.configure(forbidden_tables=[])
        self.change_pages(honoured=False, cap=FETCH_SIZE)
        for table in KEYS:
            if keys := [place_of(table, row) for row in self.service.rows(table)]:
                self.service.begin(table, delete=keys).commit()
            self.change(Change(table, seed, inserts=ROWS.get(table, 6)))

    # Events at the service.

    @rule(change=changes)
    def change(self, change: Change) -> None:
        """Change rows in a transaction that is committed at once."""
        self._begin(change, late=False)
        self._commit(self.open[-1])

    @rule(place=positions)
    def change_joined(self, place: int) -> None:
        """Change a column of a joined table."""
        if rows := self.service.rows(BY_DATE):
            row = rows[place % len(rows)]
            value = self.writer.values(BY_DATE)[JOINED]
            self.service.update_joined(BY_DATE, place_of(BY_DATE, row), {JOINED: value})
            self._note(BY_DATE, [(row, {**row, JOINED: value})])
            self.joined.add(key_of(BY_DATE, row))

    @rule(
        table=st.sampled_from(GROWING),
        late=changes,
        change=changes,
        seconds=st.sampled_from([1, 59]),
    )
    def overtake(self, table: str, late: Change, change: Change, seconds: int) -> None:
        """Commit a transaction after a run whose bookmark is later than its beginning."""
        begun = self._begin(_in(late, table))
        self._set_clock(seconds)
        self.change(_in(change, table))
        self.run([])
        self._commit(begun)

    @rule(seconds=st.sampled_from([1, 59, 600]))
    def let_time_pass(self, seconds: int) -> None:
        """Advance the service's clock."""
        self._set_clock(seconds)

    @rule(honoured=st.booleans(), cap=st.sampled_from([2, 3, 10_000]))
    def change_pages(self, honoured: bool, cap: int) -> None:  # noqa: FBT001 - drawn
        """Let the service honour the page size that it is asked for, or ignore it."""
        self.service.configure(honours_page_size=honoured, page_size_cap=cap)

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

    @rule(
        table=st.sampled_from([TEXTS, ENUMERATION]),
        seed=st.integers(0, 999),
        requests=st.integers(1, 4),
    )
    def run_while_first_rows_go(self, table: str, seed: int, requests: int) -> None:
        """Run the tap while rows that it has read are deleted, and others are inserted."""
        change = Change(table, seed, inserts=seed % 3, deletes=(0, 1, 2, 3))
        self.run([(requests, True, change)])

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
        """Compare at the end of every history, also after a change of the scope."""
        self.run([])
        # A read that was continued does not see the rows before its place again.
        self.run([])
        self.change_scope()
        self.run([])

    def _run(
        self,
        meanwhile: list[tuple[int, bool, Change]],
        lines: int | None = None,
        faults: Iterable[Fault] = (),
    ) -> Run:
        for table in KEYS.keys() - self.begun:
            self.changed[table] = {}
        self.begun |= KEYS.keys()
        begun = []
        for skip, late, change in meanwhile:
            begun.append(self._begin(change, late=late))
            number = begun[-1].transaction.number
            self.service.fault(f"/{change.table}?", skip=skip, commit=number)
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
        updates = order["update"].items()
        notes = [
            *((rows[place], {**rows[place], **values}) for place, values in updates),
            *((rows[place], None) for place in order["delete"]),
            *((None, row) for row in order["insert"]),
        ]
        keys = {folded(key_of(table, before or after or {})) for before, after in notes}
        transaction = self.service.begin(table, **order, late=late)
        self.open.append(OpenTransaction(transaction, table, keys, notes))
        self._note(table, notes)
        return self.open[-1]

    def _commit(self, begun: OpenTransaction) -> None:
        if begun in self.open:
            self.open.remove(begun)
            self._note(begun.table, begun.notes)
            with suppress(SandboxError):
                begun.transaction.commit()
            held = {key_of(begun.table, row) for row in self.service.rows(begun.table)}
            assert held >= {key_of(begun.table, row) for _, row in begun.notes if row}

    def _note(self, table: str, notes: Iterable[Note]) -> None:
        """Note the values of rows before and after changes."""
        for before, after in notes:
            key = key_of(table, before or after or {})
            self.changed[table].setdefault(key, []).extend([before, after])

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
        if not activated and (is_killed or failed or run.status):
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
            allowed = [expected.get(key), *self._during(table, key)]
            # Without a new version, a row that was gone stays in the target.
            if key in found and None in allowed and not activated:
                continue
            assert self._seen(table, key, found.get(key), allowed), (
                f"{key} is {found.get(key)}, but was {allowed} at the service. {context}"
            )
        for key in self.joined & found.keys():
            if found[key] == expected.get(key):
                self.joined.discard(key)
        # A run that is killed may leave a state from before the end of the read.
        if not is_killed:
            self.begun.discard(table)

    def _during(self, table: str, key: Key) -> list[list[Any] | None]:
        """Return the values that the tap may have seen of a row that changed."""
        return [
            [row[name] for name in VALUES[table]] if row and self._is_left(table, row) else None
            for row in self.changed[table].get(key, [])
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
