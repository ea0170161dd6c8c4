"""Row counts: asks the service about how many rows the tables of a run have."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_dynamics365.extract.tally import Tally
    from tap_dynamics365.services.kind import Service

# The tables of one request. The next update asks for the others.
MOST_TABLES = 20


class RowCounts:
    """Asks for the number of rows of tables, once for each table.

    Args:
        service: The service.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._asked: set[Tally] = set()

    def ask(self, tallies: Iterable[Tally]) -> None:
        """Set `expected` of tallies as soon as the numbers arrive.

        Args:
            tallies: The tables in progress. Tables of which only new rows are read are left out.
        """
        if self._service.kind.count_rows is None:
            return
        wanted = [tally for tally in tallies if tally.reads_all and tally not in self._asked]
        wanted = wanted[:MOST_TABLES]
        self._asked.update(wanted)
        if wanted:
            # In a thread of its own, because the response may take long.
            Thread(target=self._fetch, args=(wanted,), name="row counts", daemon=True).start()

    def _fetch(self, tallies: list[Tally]) -> None:
        count_rows = self._service.kind.count_rows
        if count_rows is not None:
            by_name = {tally.table: tally for tally in tallies}
            for table, rows in count_rows(self._service.client, [*by_name]):
                if table in by_name:
                    by_name[table].expected = rows
