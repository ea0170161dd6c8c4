"""About how many rows tables have, as the service tells without counting them.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrievetotalrecordcount
"""

from __future__ import annotations

import json
import logging
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from tap_dynamics365.errors import REFUSED, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_dynamics365.odata.client import Service
    from tap_dynamics365.progress.tally import Tally

# Names fit into an address that every proxy lets through.
MOST_TABLES = 20

logger = logging.getLogger("tap-dynamics365.progress")


class _Counts(msgspec.Struct):
    keys: list[str] = msgspec.field(name="Keys")
    values: list[int] = msgspec.field(name="Values")


class _Answer(msgspec.Struct):
    counts: _Counts = msgspec.field(name="EntityRecordCountCollection")


class RowCounts:
    """Asks for the number of rows of tables, beside what a run does, once for each.

    Args:
        service: Where the tables are.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._asked: set[Tally] = set()

    def ask(self, tallies: Iterable[Tally]) -> None:
        """Have numbers put into `expected`, when they come.

        Args:
            tallies: Of the tables under way. Those that are not read whole need none.
        """
        if not self._service.is_dataverse:
            return
        wanted = [tally for tally in tallies if tally.reads_all and tally not in self._asked]
        wanted = wanted[:MOST_TABLES]
        self._asked.update(wanted)
        if wanted:
            # Not in the thread that shows the progress: an answer may be a while in coming.
            Thread(target=self._fetch, args=(wanted,), name="row counts", daemon=True).start()

    def _fetch(self, tallies: list[Tally]) -> None:
        names = json.dumps([tally.table for tally in tallies], ensure_ascii=False)
        path = f"RetrieveTotalRecordCount(EntityNames=@p1)?@p1={quote(names)}"
        try:
            answer = msgspec.json.decode(self._service.get(path).content, type=_Answer)
        except Exception as error:  # noqa: BLE001 - it is only to be shown, in a thread of its own
            logger.debug("The number of rows of %s is not known: %s", names, error)
            refused = isinstance(error, ServiceError) and error.failure in REFUSED
            if refused and len(tallies) > 1:
                # One that is not counted, such as a virtual table, spoils it for all.
                for tally in tallies:
                    self._fetch([tally])
            return
        counts = dict(zip(answer.counts.keys, answer.counts.values, strict=False))
        for tally in tallies:
            tally.expected = counts.get(tally.table)
