"""Whether values are of the types that the catalog announced.

A column's type may be changed in the service. It then changes in all rows at once, so some rows of
each page are looked at: looking at every value would cost half as much as reading the page.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.records import row_types

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Rows of a page that are looked at, spread evenly over it.
SAMPLE = 200
TEXT = {"string"}
NO_TEXT = {"boolean", "integer", "number"}
# How JSON values begin: numbers, true and false; texts.
BARE = re.compile(rb"\n[-0-9tf]")
QUOTED = re.compile(rb'\n"')


class Announced:
    """The columns that hold texts, and those that hold numbers or truth values.

    Args:
        stream: Name of the stream.
        columns: JSON Schema of each column.
        fields: Name of the field of a row that holds a column, by the column's.
    """

    def __init__(
        self, stream: str, columns: Mapping[str, Mapping[str, Any]], fields: Mapping[str, str]
    ) -> None:
        self._stream = stream
        self._kinds = [
            (fault, names, row_types.values_of([fields[name] for name in names]))
            for kinds, fault in ((TEXT, BARE), (NO_TEXT, QUOTED))
            if (names := [name for name in columns if kinds.intersection(columns[name]["type"])])
        ]

    def check(self, rows: Sequence[Any]) -> None:
        """Look at some rows.

        Args:
            rows: As they were read, their values JSON text.

        Raises:
            ServiceError: A text is where none was announced, or the reverse.
        """
        for fault, names, values in self._kinds:
            if fault.search(b"\n".join(chain((b"",), *map(values, rows)))) is None:
                continue
            name = next(
                name
                for row in rows
                for name, value in zip(names, values(row), strict=True)
                if fault.match(b"\n" + bytes(value))
            )
            found, wanted = ("a text", "none") if fault is QUOTED else ("no text", "one")
            msg = (
                f"The column {name!r} of {self._stream!r} holds {found}, but was announced to hold "
                f"{wanted}: its type was changed. Make the catalog anew with --discover."
            )
            raise ServiceError(msg)
