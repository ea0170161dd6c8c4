"""Schema drift check: values whose types differ from the catalog's are written as text, or refused.

A column of type string accepts any value: numbers keep their digits, and objects become their JSON
text. Any other difference is refused, because targets create columns of the types in the catalog.

If a column's type changes in the service, it changes in all rows at once. Therefore only a sample
of each page is checked: checking every value would add a third to the time of reading the page. The
first values of a column are always checked (see `row_reader`).
"""

from __future__ import annotations

import re
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Raw

from tap_dynamics365.errors import ServiceError
from tap_dynamics365.odata import row_types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from msgspec import ValidationError

    from tap_dynamics365.odata.row_types import Field

# The first characters of JSON values of each type, as a character set of `re`.
BEGINS = {
    "array": r"\[",
    "boolean": "tf",
    "integer": r"\-0-9",
    "null": "n",
    "number": r"\-0-9",
    "object": "{",
    "string": '"',
}
# What a value is, by its first character; any other character begins a number.
FOUND = {
    b"[": "an array",
    b"{": "an object",
    b'"': "text",
    b"t": "true or false",
    b"f": "true or false",
}
# What a value is, by the name that msgspec's messages give it.
GOT = {"array": "an array", "object": "an object", "str": "text", "bool": "true or false"}
MISFIT = re.compile(r"got `(\w+)` - at `\$\.([^`.\[]+)`")
# Formats that are more than text: targets create columns of other types for them.
FORMATS = {"date", "date-time", "time", "uuid"}


class Check(NamedTuple):
    """A check of the types of some columns that may hold the same types.

    Attributes:
        misfit: Matches a line break and a value of any other type.
        names: The columns.
        values: Returns their values in a row.
    """

    misfit: re.Pattern[bytes]
    names: list[str]
    values: Callable[[Any], tuple[Raw, ...]]


class SchemaDriftCheck:
    """Compares the types of values with the types in the catalog.

    Args:
        stream: The name of the stream.
        columns: The JSON Schema of each column.
        fields: The fields of a row.
    """

    def __init__(
        self, stream: str, columns: Mapping[str, Mapping[str, Any]], fields: Iterable[Field]
    ) -> None:
        self._stream = stream
        self._columns = columns
        self._fields = {field.column: field for field in fields}
        # Columns with values that have to be written as text.
        self._as_text: set[str] = set()

    def checks(self, names: Iterable[str]) -> list[Check]:
        """Prepare the checks of columns.

        Args:
            names: The columns. Only those whose values are read as JSON text are checked.
        """
        groups: dict[frozenset[str], list[str]] = {}
        for name in names:
            if self._fields[name].is_text:
                groups.setdefault(self._fields[name].kinds, []).append(name)
        return [
            Check(
                _misfit(kinds),
                some,
                row_types.values_of([self._fields[name].name for name in some]),
            )
            for kinds, some in groups.items()
        ]

    def check(self, rows: Sequence[Any], checks: Iterable[Check]) -> bool:
        """Check the types of values.

        Args:
            rows: The rows as they were read.
            checks: The checks to run.

        Returns:
            Whether more columns have to be written as text than before.

        Raises:
            ServiceError: A value's type differs from the catalog, and the column is not text.
        """
        before = len(self._as_text)
        for misfit, names, values in checks:
            if misfit.search(b"\n".join(chain((b"",), *map(values, rows)))) is None:
                continue
            for row in rows:
                for name, value in zip(names, values(row), strict=True):
                    if misfit.match(b"\n" + bytes(value)):
                        self._write_as_text(name, FOUND.get(bytes(value)[:1], "a number"))
        return len(self._as_text) > before

    def _write_as_text(self, name: str, found: str) -> None:
        """Have a column written as text from now on; raise if it is not a text column."""
        column = self._columns[name]
        is_any = row_types.format_of(column) not in FORMATS and "contentEncoding" not in column
        if not (is_any and "string" in self._fields[name].kinds):
            raise self._refusal(name, found)
        self._as_text.add(name)

    def _refusal(self, name: str, found: str) -> ServiceError:
        column = self._columns[name]
        kinds = " or ".join(sorted(self._fields[name].kinds - {"null"})) or "null"
        form = row_types.format_of(column)
        wanted = f"{kinds} ({form})" if form in FORMATS else kinds
        msg = (
            f"The column {name!r} of {self._stream!r} holds {found}, but the catalog says "
            f"{wanted}. If its type has changed in the service, run --discover again. If you chose "
            "the type in the catalog, choose string instead, which accepts any value."
        )
        return ServiceError(msg)

    def refused(self, error: ValidationError) -> Exception:
        """Translate the error of a row that can't be decoded.

        Args:
            error: The error that msgspec raised.

        Returns:
            An error that names the column; the given error if no column is the cause.
        """
        found = MISFIT.search(str(error))
        if found is None or found[2] not in self._columns:
            return error
        return self._refusal(found[2], GOT.get(found[1], "a number"))

    def write_texts(self, rows: Sequence[Any], written: Callable[[Raw], bytes]) -> None:
        """Replace values of text columns that are not text by text.

        Args:
            rows: The rows as they were read. They are changed in place.
            written: Encodes the JSON text of an object or an array as a JSON string.
        """
        for name in tuple(self._as_text):
            field = self._fields[name]
            misfit = _misfit(field.kinds)
            for row in rows:
                value = getattr(row, field.name)
                if value is None or not misfit.match(b"\n" + bytes(value)):
                    continue
                is_plain = bytes(value)[:1] not in {b"{", b"["}
                text = b'"' + bytes(value) + b'"' if is_plain else written(value)
                setattr(row, field.name, Raw(text))


@cache
def _misfit(kinds: frozenset[str]) -> re.Pattern[bytes]:
    begins = "".join(sorted({BEGINS[kind] for kind in (*kinds, "null")}))
    return re.compile(rf"\n[^{begins}]".encode())
