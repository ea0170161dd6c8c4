"""Table checks: metadata, companies, rights and rows of the selected tables, change tracking."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from tap_dynamics365.checks.checklist import Finding, Result, Status
from tap_dynamics365.checks.logged import logged_warnings
from tap_dynamics365.errors import MetadataError, ServiceError, failure_of_table
from tap_dynamics365.extract.pool import fetch_each
from tap_dynamics365.extract.read import LOG_BASED
from tap_dynamics365.extract.reader import SKIPPED
from tap_dynamics365.services.describe import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from tap_dynamics365.checks.checklist import Checklist
    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.services.read_rights import ReadRights
    from tap_dynamics365.singer.table_stream import TableStream
    from tap_dynamics365.tap import TapDynamics365

#: The tables, and the companies, that are tried without `--all`.
MOST_TRIED = 20
# The names that a message has.
MOST_NAMED = 10

METADATA = "Check service_url and the setting tables."
SELECTION = "See docs/usage.md."
READABLE = "Give the account the right to read them, or leave them out."
UNKNOWN_RIGHTS = "The service does not say which rows the account may read."
TRACKING = "Turn on change tracking of these tables in the service, or choose another method."


class TableChecks:
    """The checks of a service that answers.

    Args:
        tap: The tap.
        has_catalog: Whether a catalog selects the tables.
        most: How many tables, and companies, are tried.
        next_step: Where a person selects tables next, in one sentence. That none is selected yet
            is no failure then.
    """

    def __init__(
        self, tap: TapDynamics365, *, has_catalog: bool, most: int | None, next_step: str = ""
    ) -> None:
        self._tap = tap
        self._has_catalog = has_catalog
        self._most = most
        self._next_step = next_step
        self._readable: list[TableStream] = []

    def run(self, checklist: Checklist) -> None:
        """Run the checks.

        Args:
            checklist: Where to add them.
        """
        # A run with a catalog does not read the metadata.
        hindered = Status.WARNING if self._has_catalog else Status.FAILED
        checklist.run("metadata", self._metadata, METADATA, after=("service",), on_error=hindered)
        checklist.run("selection", self._selection, SELECTION, after=("service", "metadata"))
        parts = self._tap.service.kind.parts_name
        if parts:
            checklist.run(parts, self._parts, READABLE, after=("selection",))
        found: list[Result] = []
        checklist.run("tables", partial(self._tables, found), READABLE, after=("selection", parts))
        for result in found:
            checklist.add(result)
        if (read_rights := self._tap.service.kind.read_rights) is not None:
            checklist.run("rows", partial(self._rows, read_rights), "", after=("selection",))
        if self._wants_log_based:
            checklist.run(
                "change tracking", self._tracking, TRACKING, after=("metadata", "selection")
            )

    def _metadata(self) -> Finding:
        tap = self._tap
        if not self._has_catalog:
            with logged_warnings() as warnings:
                return _with_warnings(f"{_tables(len(tap.catalog))} found.", warnings)
        service = tap.service
        found = service.kind.arrange(service.kind.read_tables(service.client, tap.settings))
        return Finding(f"{_tables(len(found))} found.")

    def _selection(self) -> Finding:
        if self._next_step and self._tap.lacks_selection:
            return Finding("No table is chosen yet.", Status.NOT_RUN, self._next_step)
        with logged_warnings() as warnings:
            self._tap.setup_mapper()
            count = len(self._tap.selected_tables)
        if not count:
            return Finding(
                "No table is selected.",
                Status.FAILED,
                "Select tables by the setting tables, or in the catalog.",
            )
        return _with_warnings(f"{_tables(count)} selected.", warnings)

    def _tried(self, streams: Sequence[TableStream]) -> list[TableStream]:
        return list(islice(streams, self._most))

    def _parts(self) -> Finding:
        """Read a row of one table in each company."""
        name = self._tap.service.kind.parts_name
        divided = [stream for stream in self._tap.selected_tables if stream.is_divided]
        if not divided:
            count = sum(part.is_selected for part in self._tap.parts)
            return Finding(f"{count} {name} selected. No selected table has rows in them.")
        stream = divided[0]
        tried = stream.parts.all[: self._most]
        refusals: dict[str, ServiceError] = {}
        for part in tried:
            try:
                part.fetch_sample()
            except ServiceError as error:
                refusals[part.label] = error
        can = f"{len(tried) - len(refusals)} of {len(tried)} {name} can be read"
        words = f"{can}, by the table {stream.name}.{self._left(len(stream.parts.all), name)}"
        if not refusals:
            return Finding(words)
        first = next(iter(refusals.values()))
        words += f" Not {_listed([*refusals])}: {first.message}"
        has_none = len(refusals) == len(tried)
        is_hindrance = has_none or any(e.failure not in SKIPPED for e in refusals.values())
        return Finding(words, Status.FAILED if is_hindrance else Status.WARNING)

    def _tables(self, found: list[Result]) -> Finding:
        """Read a row of each table."""
        selected = self._tap.selected_tables
        tried = self._tried(selected)
        failures = self._failures(tried)
        for stream in tried:
            if (error := failures.get(stream.name)) is not None:
                is_skipped = error.failure in SKIPPED
                status = Status.WARNING if is_skipped else Status.FAILED
                remedy = READABLE if is_skipped else "See docs/reliability.md."
                found.append(Result(f"table {stream.name}", status, error.message, remedy))
        readable = len(tried) - len(failures)
        words = f"{readable} of {_tables(len(tried))} can be read."
        words += self._left(len(selected), "tables")
        if not readable:
            return Finding(words, Status.FAILED)
        return Finding(words, Status.WARNING if failures else Status.OK)

    def _left(self, count: int, noun: str) -> str:
        """Say how many were not tried."""
        left = count - (self._most or count)
        return f" {left:,} more {noun} are tried with dynamics365 check --all." if left > 0 else ""

    def _failures(self, streams: Sequence[TableStream]) -> dict[str, ServiceError]:
        """Read a row of each table, with as many requests in flight as in a run."""
        failures: dict[str, ServiceError] = {}

        def take(stream: TableStream, answer: object) -> None:
            if isinstance(answer, Exception):
                failures[stream.name] = failure_of_table(answer)

        for stream in streams:
            _ = stream.parts
        concurrency = self._tap.service.client.concurrency
        fetch_each(streams, lambda stream: stream.fetch_sample(), take, concurrency)
        return failures

    def _rows(self, read_rights: Callable[[ODataClient, Collection[str]], ReadRights]) -> Finding:
        """Ask the service of which tables the account may read all rows. A run does not ask."""
        names = [stream.name for stream in self._tap.selected_tables]
        try:
            rights = read_rights(self._tap.service.client, names)
        except (MetadataError, ServiceError) as error:
            return Finding(f"{UNKNOWN_RIGHTS} {error.message}", Status.NOT_RUN)
        count = len(rights.whole) + len(rights.partial)
        if not count:
            return Finding(UNKNOWN_RIGHTS, Status.NOT_RUN)
        left = len(names) - count
        more = f" The service does not say it of {left} more." if left else ""
        if not rights.partial:
            return Finding(f"All rows of {_tables(count)} can be read.{more}")
        some = [f"{name} ({which})" for name, which in rights.partial.items()]
        verb = "gives" if len(some) == 1 else "give"
        words = f"{len(some):,} of {_tables(count)} {verb} only some rows: {_listed(some)}.{more}"
        return Finding(words, Status.WARNING, rights.remedy)

    @property
    def _wants_log_based(self) -> bool:
        if self._tap.settings.replication_method == LOG_BASED:
            return True
        entries = (self._tap.input_catalog or {}).values()
        return any(entry.replication_method == LOG_BASED for entry in entries)

    def _tracking(self) -> Finding:
        tap = self._tap
        wanted = [
            stream.name
            for stream in tap.selected_tables
            if not self._has_catalog or stream.replication_method == LOG_BASED
        ]
        tracked = {
            found.table.name for found in describe(tap.service, tap.settings) if found.table.tracked
        }
        without = [name for name in wanted if name not in tracked]
        if not without:
            return Finding(f"On: {_tables(len(wanted))} can be replicated LOG_BASED.")
        words = f"Off for {len(without)} of {_tables(len(wanted))}: {_listed(without)}."
        return Finding(words, Status.WARNING)


def _with_warnings(words: str, warnings: Sequence[str]) -> Finding:
    return Finding(" ".join([words, *warnings]), Status.WARNING if warnings else Status.OK)


def _tables(count: int) -> str:
    return f"{count:,} {'table' if count == 1 else 'tables'}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f", and {more} more" if more > 0 else "")
