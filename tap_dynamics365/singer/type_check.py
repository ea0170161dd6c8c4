"""Values of other types than the catalog announces: written as text, or refused.

A column that is announced to hold text takes any value: digits as they are, the JSON text of an
object. All other differences are refused, for targets make columns of the types announced.

A column's type may be changed in the service. It then changes in all rows at once, so some rows of
each page are looked at: looking at every value would cost a third of reading the page. The first
values of a column are looked at wherever they are (see `reader`).
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

# How JSON values begin, as `re` has a set of characters.
BEGINS = {
    "array": r"\[",
    "boolean": "tf",
    "integer": r"\-0-9",
    "null": "n",
    "number": r"\-0-9",
    "object": "{",
    "string": '"',
}
# What begins so; all else is a number.
FOUND = {
    b"[": "an array",
    b"{": "an object",
    b'"': "text",
    b"t": "true or false",
    b"f": "true or false",
}
# msgspec's own words for a value, and the column that it tells of.
GOT = {"array": "an array", "object": "an object", "str": "text", "bool": "true or false"}
MISFIT = re.compile(r"got `(\w+)` - at `\$\.([^`.\[]+)`")
# Text of these formats is more than text: targets make other columns of it.
FORMATS = {"date", "date-time", "time", "uuid"}


class Check(NamedTuple):
    """A look at some columns.

    Attributes:
        misfit: Matches, behind a line break, a value of a type that they are not announced to have.
        names: The columns.
        values: Takes their values out of a row.
    """

    misfit: re.Pattern[bytes]
    names: list[str]
    values: Callable[[Any], tuple[Raw, ...]]


class SchemaDriftCheck:
    """What a catalog says of the types of columns.

    Args:
        stream: Name of the stream.
        columns: JSON Schema of each column.
        fields: The fields of a row that hold them.
    """

    def __init__(
        self, stream: str, columns: Mapping[str, Mapping[str, Any]], fields: Iterable[Field]
    ) -> None:
        self._stream = stream
        self._columns = columns
        self._fields = {field.column: field for field in fields}
        # Columns of which values are to be written as text.
        self._as_text: set[str] = set()

    def checks(self, names: Iterable[str]) -> list[Check]:
        """Prepare to look at columns.

        Args:
            names: Those that are to be looked at, if their values are read as JSON text.
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
        """Look at rows.

        Args:
            rows: As they were read.
            checks: What to look at.

        Returns:
            Whether more columns are to be written as text than before.

        Raises:
            ServiceError: Values are of other types than announced, and can't be written as text.
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
        """Have a column written as text, if it is announced to hold any."""
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
            f"{wanted}: if its type has changed in the service, make the catalog anew with "
            "--discover; if the type in the catalog is your own choice, choose string, which takes "
            "any value."
        )
        return ServiceError(msg)

    def refused(self, error: ValidationError) -> Exception:
        """Tell what is wrong with a row that can't be read.

        Args:
            error: What msgspec says of it.

        Returns:
            The error that names the column; the given one if it is no matter of a column.
        """
        found = MISFIT.search(str(error))
        if found is None or found[2] not in self._columns:
            return error
        return self._refusal(found[2], GOT.get(found[1], "a number"))

    def write_texts(self, rows: Sequence[Any], written: Callable[[Raw], bytes]) -> None:
        """Write values as text where they are announced to be text and are not.

        Args:
            rows: As they were read; they are changed.
            written: Writes the JSON text of an object or an array as a JSON string.
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
