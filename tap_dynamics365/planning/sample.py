"""Sample: the first rows of a table, and which columns have values and bytes in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tap_dynamics365.table_rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_dynamics365.odata.edm import Table
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.services.part import Part
    from tap_dynamics365.settings import Settings

# Rows are read of so many parts of a table, such as companies.
MOST_PARTS = 3
#: The rows of a sample. Fewer say little of how many have a value; more take longer.
SAMPLED = 250

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Measured(NamedTuple):
    """A column of a sample.

    Attributes:
        filled: The share of rows with a value: neither null nor an empty text. 1.0 is all rows.
        bytes_per_row: The mean bytes in the JSON text of a row, before compression.
        share_of_bytes: The share of all bytes of these rows. 1.0 is all bytes.
    """

    filled: float
    bytes_per_row: float
    share_of_bytes: float


@dataclass(frozen=True)
class Sample:
    """What is known of the columns of a table by its first rows. It has no values.

    Attributes:
        rows: How many rows were read.
        is_whole: Whether the table has no other rows.
        columns: The columns by name; empty without a row.
    """

    rows: int
    is_whole: bool
    columns: Mapping[str, Measured]


def read(service: Service, settings: Settings, table: Table) -> tuple[Sample, list[dict[str, Any]]]:
    """Read the first rows of a table, with all its columns, in one page.

    Of a table with parts, such as companies, a page of each of the first parts is read, until there
    are enough rows.

    Args:
        service: The service.
        settings: The settings.
        table: The table.

    Returns:
        The sample, and its rows.

    Raises:
        ServiceError: The service refused.
        SignInError: The sign-in host gave no token.
    """
    # A page has no more rows than are wanted.
    settings = replace(settings, fetch_size=min(SAMPLED, settings.fetch_size))
    left = 0

    def parts() -> list[Part]:
        nonlocal left
        every = [each for each in service.kind.parts(service.client, settings) if each.is_selected]
        left = len(every[MOST_PARTS:])
        return every[:MOST_PARTS]

    rows = list(islice(read_rows(service, settings, table, parts=parts), settings.fetch_size))
    is_whole = len(rows) < settings.fetch_size and not left
    return Sample(len(rows), is_whole, _measured(rows)), rows


def _measured(rows: Sequence[Mapping[str, Any]]) -> dict[str, Measured]:
    if not rows:
        return {}
    sizes = {name: _size(name, (row[name] for row in rows)) for name in rows[0]}
    total, count = sum(sizes.values()), len(rows)
    return {
        name: Measured(
            sum(row[name] not in (None, "") for row in rows) / count, size / count, size / total
        )
        for name, size in sizes.items()
    }


def _size(name: str, values: Iterable[Any]) -> int:
    # Quotation marks, a colon and a comma.
    around = len(name.encode()) + 4
    return sum(len(_encode(value)) + around for value in values)
