"""Events of the simulation of Business Central: rows and companies that change."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sandbox.client import SandboxError
from tests.simulation.central_changes import (
    BLANK,
    BOUND,
    DATED,
    LIST,
    SHAPES,
    STAMP,
    TABLES,
    Change,
    OpenTransaction,
    Writer,
    below,
    changes,
    key_of,
    positions,
    stored,
)
from tests.simulation.central_check import Checks
from tests.simulation.central_way import (
    LATEST,
    LATEST_SORTED,
    NAMES,
    OLD,
    Setup,
    Way,
    ways,
)
from tests.simulation.history import BEGINNING
from tests.simulation.warehouse import Warehouse
from tests.storms.schedule import INCREMENTAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.central_changes import Rows
    from tests.tap import Message, Run


class CentralEvents(RuleBasedStateMachine):
    """A service whose rows and companies change."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup = setup
        self.service = setup.service
        self.warehouse = Warehouse()
        self.writer = Writer()
        self.now = BEGINNING
        self.open: list[OpenTransaction] = []
        self.runs = 0
        self.way = Way(INCREMENTAL, True, 1, False, False, 403)  # noqa: FBT003 - replaced
        #: Ids of the companies by name; those that are closed, and those that are selected.
        self.companies: dict[str, str] = {}
        self.closed: set[str] = set()
        self.selected: set[str] | None = None
        self.forbidden: set[str] = set()
        self.filters: dict[str, str] = {}
        #: Tables of which all columns are selected.
        self.wide: set[str] = set(TABLES)
        self.checks = Checks(self)
        self._rows: dict[str, Rows] | None = None

    @property
    def rows(self) -> dict[str, Rows]:
        """The rows of the service, by table and key."""
        if self._rows is None:
            self._rows = stored(self.service)
        return self._rows

    @initialize(way=ways, sizes=st.lists(st.integers(1, 7), min_size=3, max_size=3))
    def begin(self, way: Way, sizes: list[int]) -> None:
        """Reset the service: companies, rows, clock, faults."""
        self.way = way
        self._set_clock(0)
        self.service.clear_faults()
        self.service.mend()
        self.service.configure(
            forbidden_tables=[], closed_companies=[], page_size_cap=20_000,
            permission_status=way.status,
        )  # fmt: skip
        for each in self.service.companies():
            self.service.remove_company(each["id"])
        for name in NAMES[: len(sizes)]:
            self._add(name)
        # Requests that name no company are answered, too.
        self.service.configure(default_company=NAMES[0])
        self._fill([*zip(self.companies.values(), sizes, strict=True)])

    def _fill(self, sizes: Sequence[tuple[str, int]]) -> None:
        """Insert rows; some have a time of long ago, and some have none."""
        rows = self.rows
        for table in SHAPES:
            new: list[Message] = []
            for company, size in sizes:
                orders = self.writer.orders(Change(table, 0, size), company, rows, ())
                new += orders.inserts.get(table, ())
            for place, row in enumerate(new):
                stamp = {0: BLANK, 1: OLD}.get(place % 4)
                if stamp is not None and table in DATED:
                    row[STAMP] = stamp
            rows[table].update({key_of(table, row): row for row in new})
            if new:
                self.service.insert(table, new)
        self._rows = None

    # Events at the service.

    @rule(change=changes)
    def change(self, change: Change) -> None:
        """Change rows in a transaction that is committed at once."""
        if (begun := self._begin(change, late=False)) is not None:
            self._commit(begun)

    @rule(change=changes)
    def begin_late(self, change: Change) -> None:
        """Begin a transaction that changes rows."""
        self._begin(change)

    @precondition(lambda self: self.open)
    @rule(number=positions)
    def commit_late(self, number: int) -> None:
        """Commit a transaction."""
        self._commit(self.open[number % len(self.open)])

    @rule(seconds=st.sampled_from([1, 59, 600, 3600]))
    def let_time_pass(self, seconds: int) -> None:
        """Advance the service's clock, and commit transactions that have lasted long enough."""
        for each in list(self.open):
            if self._seconds + seconds - each.begun > self._latest:
                self._commit(each)
        self._set_clock(seconds)

    @rule(cap=st.sampled_from([2, 3, 20_000]))
    def change_pages(self, cap: int) -> None:
        """Let the service send smaller pages than it is asked for."""
        self.service.configure(page_size_cap=cap)

    @rule(table=st.sampled_from(BOUND), place=positions)
    def break_row(self, table: str, place: int) -> None:
        """Let a row fail, and each page that it is on."""
        if rows := [*self.rows[table]]:
            key = rows[place % len(rows)]
            self.service.break_row(table, key)
            self.checks.broken.add((table, key))

    @rule()
    def mend(self) -> None:
        """Let all rows work again."""
        self.service.mend()
        self.checks.broken.clear()

    @rule(table=st.sampled_from([*SHAPES, None]))
    def forbid(self, table: str | None) -> None:
        """Take the permission to read a table away, or give all of them back."""
        self.forbidden = {table} if table else set()
        self.service.configure(forbidden_tables=[*self.forbidden])

    # Companies.

    def _add(self, name: str, copy_of: str = "") -> None:
        self.runs += 1
        company = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}{self.runs}"))
        order = {"name": name, "copy_of": copy_of, "id": company}
        self.service.ask("POST", "companies", order)
        self._rows = None
        self.companies[name] = company
        self.checks.note(LIST, [(company,)])

    @precondition(lambda self: len(self.companies) < len(NAMES))
    @rule(place=positions, copied=st.booleans())
    def add_company(self, place: int, copied: bool) -> None:  # noqa: FBT001 - drawn
        """Add a company: with the rows of another, with rows without a time, or with none."""
        name = next(name for name in NAMES if name not in self.companies)
        source = [*self.companies.values()][place % len(self.companies)] if copied else ""
        self._add(name, source)
        if not copied:
            self._fill([(self.companies[name], place % 5)])

    @rule(place=positions)
    def rename_company(self, place: int) -> None:
        """Rename a company."""
        name = [*self.companies][place % len(self.companies)]
        new = next(each for each in (f"{name}{n}" for n in range(9)) if each not in self.companies)
        self.service.rename_company(self.companies[name], new)
        self.companies[new] = self.companies.pop(name)
        self.checks.note(LIST, [(self.companies[new],)])

    @precondition(lambda self: len(self.companies) > 1)
    @rule(place=positions)
    def remove_company(self, place: int) -> None:
        """Remove a company with its rows."""
        name = [*self.companies][place % len(self.companies)]
        company = self.companies[name]
        for each in list(self.open):
            if any(key[0] == company for _, key in each.places):
                self._commit(each)
        self.checks.note_removal(company)
        self.service.remove_company(company)
        self._rows = None
        del self.companies[name]
        self.closed.discard(company)
        if self.selected is not None and self.selected.isdisjoint(self.companies.values()):
            self.selected = None

    @rule(place=positions)
    def close_or_open_company(self, place: int) -> None:
        """Close a company to the user, or open it again; one stays open."""
        company = [*self.companies.values()][place % len(self.companies)]
        closed = self.closed ^ {company}
        if not closed.issuperset(self.companies.values()):
            self._close(closed)

    def _close(self, companies: set[str]) -> None:
        self.closed = companies
        self.service.configure(closed_companies=[*companies])

    @rule(left_out=st.one_of(positions, st.none()))
    def select_companies(self, left_out: int | None) -> None:
        """Leave a company out of the setting, or none."""
        every = [*self.companies.values()]
        self.selected = None
        if left_out is not None and len(every) > 1:
            self.selected = {*every} - {every[left_out % len(every)]}

    @property
    def _config(self) -> Message:
        return self.setup.config(self.way, self.filters, self.selected)

    @property
    def readable(self) -> set[str]:
        """The ids of the companies that are selected and open."""
        selected = {*self.companies.values()} if self.selected is None else self.selected
        return {each for each in self.companies.values() if each in selected - self.closed}

    @property
    def _is_any_open(self) -> bool:
        return bool(self.readable)

    @property
    def _latest(self) -> int:
        return LATEST_SORTED if self.way.is_sorted else LATEST

    @property
    def _seconds(self) -> float:
        return (self.now - BEGINNING).total_seconds()

    def _set_clock(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.service.configure(clock=self.now.isoformat())

    def _begin(self, change: Change, *, late: bool = True) -> OpenTransaction | None:
        company = self.companies[sorted(self.companies)[change.company % len(self.companies)]]
        rows = self.rows
        taken = {place for each in self.open for place in each.places | each.parents}
        orders = self.writer.orders(change, company, rows, taken)
        if not orders.places:
            return None
        parts = orders.begin(self.service, late=late)
        begun = OpenTransaction(change, parts, orders.places, orders.parents, self._seconds)
        self.open.append(begun)
        self._note(begun, rows)
        return begun

    def _commit(self, begun: OpenTransaction) -> None:
        if begun in self.open:
            self.open.remove(begun)
            self._note(begun, self.rows)
            for part in begun.parts:
                with suppress(SandboxError):
                    part.commit()
            self._rows = None

    def _note(self, begun: OpenTransaction, rows: dict[str, Rows]) -> None:
        for place in begun.places:
            for table, key in [place, *below(rows, place)]:
                self.checks.note(table, [key])

    def words(self, run: Run) -> str:
        """Say what a failed comparison has to show: settings, state, log."""
        log = [line for line in run.log.splitlines() if "METRIC" not in line]
        told = [str(self.way), self._config, self.companies, self.warehouse.state]
        return "\n".join(["", *(json.dumps(each, default=str) for each in told), *log])
