"""Row counts: about how many rows tables have, from RetrieveTotalRecordCount.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/retrievetotalrecordcount
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from tap_dynamics365.errors import REFUSED, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_dynamics365.odata.client import ODataClient

# This many names fit into a URL that every proxy accepts.
MOST_TABLES = 20

logger = logging.getLogger("tap-dynamics365.progress")


class _Counts(msgspec.Struct):
    keys: list[str] = msgspec.field(name="Keys")
    values: list[int] = msgspec.field(name="Values")


class _Answer(msgspec.Struct):
    counts: _Counts = msgspec.field(name="EntityRecordCountCollection")


def count_rows(client: ODataClient, tables: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Read about how many rows tables have.

    Args:
        client: The client of the service.
        tables: The logical names of the tables.

    Yields:
        Each table whose number is known, with the number.
    """
    for start in range(0, len(tables), MOST_TABLES):
        yield from _read(client, tables[start : start + MOST_TABLES])


def _read(client: ODataClient, tables: Sequence[str]) -> Iterator[tuple[str, int]]:
    names = json.dumps([*tables], ensure_ascii=False)
    path = f"RetrieveTotalRecordCount(EntityNames=@p1)?@p1={quote(names)}"
    try:
        answer = msgspec.json.decode(client.get(path).content, type=_Answer)
    except Exception as error:  # noqa: BLE001 - the numbers are only shown
        logger.debug("The number of rows of %s is not known: %s", names, error)
        if isinstance(error, ServiceError) and error.failure in REFUSED and len(tables) > 1:
            # One table without a count, such as a virtual table, makes the service refuse all.
            for table in tables:
                yield from _read(client, [table])
    else:
        yield from zip(answer.counts.keys, answer.counts.values, strict=False)
