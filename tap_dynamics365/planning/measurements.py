"""Measurements: what was asked and read of tables, once, for all plans that are made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_dynamics365.planning import row_counts
from tap_dynamics365.planning.page_sizes import page_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from tap_dynamics365.errors import ServiceError
    from tap_dynamics365.planning.page_sizes import MeasuredPage
    from tap_dynamics365.planning.row_counts import RowCount
    from tap_dynamics365.planning.tables import PlannedTable
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings


@dataclass
class Measurements:
    """What was measured of tables.

    Attributes:
        counts: The rows by table, if the service keeps no counts.
        pages: A page by table; or why there is none.
        reads: How each table was read, by name.
    """

    counts: Mapping[str, RowCount] = field(default_factory=dict)
    pages: Mapping[str, MeasuredPage | ServiceError] = field(default_factory=dict)
    reads: Mapping[str, Hashable] = field(default_factory=dict)

    def of(self, tables: Sequence[PlannedTable]) -> Measurements:
        """Return what still holds: the measurements of tables that a run reads as before.

        Args:
            tables: The tables.
        """
        names = {each.name for each in tables if self.reads.get(each.name) == _read_of(each)}
        return Measurements(
            {name: each for name, each in self.counts.items() if name in names},
            {name: each for name, each in self.pages.items() if name in names},
            {name: each for name, each in self.reads.items() if name in names},
        )

    def add(self, others: Measurements) -> None:
        """Add other measurements, which replace those of the same tables.

        Args:
            others: The other measurements.
        """
        self.counts = {**self.counts, **others.counts}
        self.pages = {**self.pages, **others.pages}
        self.reads = {**self.reads, **others.reads}


def measure(
    tables: Sequence[PlannedTable],
    service: Service,
    settings: Settings,
    report: Callable[[int, int], None],
) -> Measurements:
    """Read a page of each table, and have the service count rows if it keeps no counts.

    Args:
        tables: The tables.
        service: The service.
        settings: The settings.
        report: Called with the number of tables that were read, and the number of all.

    Raises:
        ServiceError: The ways through parents can't be read.
        SignInError: The sign-in host gave no token.
    """
    keeps_counts = service.kind.count_rows is not None
    counts = {} if keeps_counts else row_counts.count(service, settings, tables)
    pages = page_sizes(service, settings, tables, report)
    return Measurements(counts, pages, {table.name: _read_of(table) for table in tables})


def _read_of(table: PlannedTable) -> Hashable:
    """Return what tells how a table is read: columns, order, filter, parts."""
    return tuple(
        (
            spec.url,
            tuple(sorted(spec.schema)),
            tuple(spec.columns),
            spec.method,
            spec.replication_key,
            spec.row_filter,
        )
        for spec in table.parts
    )
