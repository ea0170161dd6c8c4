"""Values of Business Central: blank dates, and encoded names of enumeration members.

The service has no null. Blank dates are in the year 1, which databases and tools refuse or shift
into the year 0. The name of a member is its caption, with `_x0020_` for a blank.
https://learn.microsoft.com/dynamics365/business-central/dev-itpro/webservices/use-filter-expressions-in-odata-uris
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from tap_dynamics365.odata import enumeration, row_types
from tap_dynamics365.odata.edm import Enumeration
from tap_dynamics365.odata.row_types import NULL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_dynamics365.odata.edm import Column, Table
    from tap_dynamics365.services.conversion import Conversion
    from tap_dynamics365.settings import Settings

# Values without a date, as JSON text.
_BLANK = re.compile(rb'"0001-01-01(?:T00:00:00(?:\.0+)?Z)?"')

# A surrogate pair, which stands for one character, or another UTF-16 code unit.
_UNITS = re.compile(
    r"_x([Dd][89ABab][0-9A-Fa-f]{2})__x([Dd][C-Fc-f][0-9A-Fa-f]{2})_"
    r"|_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_"
)
# The distinct names that are remembered. Enumerations have few members.
_NAMES = 4096

_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


#: Blank dates, by their format in JSON Schema.
BLANKS: Mapping[str | None, str] = {"date": "0001-01-01", "date-time": "0001-01-01T00:00:00Z"}


def without_value(column: str, schema: Mapping[str, Any]) -> str | None:
    """Return the condition for rows without a value of a column.

    The service has no nulls: a blank date is the first day of year 1, and numbers are never blank.

    Args:
        column: The column.
        schema: Its JSON Schema.

    Returns:
        The condition; None if every row has a value.
    """
    blank = BLANKS.get(row_types.format_of(schema))
    return f"{column} eq {blank}" if blank else None


def conversion(schema: Mapping[str, Any], settings: Settings) -> Conversion | None:
    """Find out how values of a column are converted.

    Args:
        schema: The JSON Schema of the column.
        settings: What is kept as the service sends it.

    Returns:
        The conversion; None if values are sent as they are.
    """
    if enumeration.name(schema.get("description")):
        return None if settings.keep_encoded_names else _decode_names
    if settings.keep_blank_dates or row_types.format_of(schema) not in {"date", "date-time"}:
        return None
    # In columns that can't be null, such as those of the key, a blank date stays.
    return _remove_blanks if "null" in row_types.kinds(schema) else None


def describe_values(table: Table, settings: Settings) -> Table:
    """Describe enumerations by the names that rows have.

    Args:
        table: The table.
        settings: Whether encoded names are kept.

    Returns:
        The table, with decoded names of members.
    """
    if settings.keep_encoded_names:
        return table
    return msgspec.structs.replace(table, columns=tuple(map(_decoded, table.columns)))


def _decoded(column: Column) -> Column:
    kind = column.type
    if not isinstance(kind, Enumeration):
        return column
    members = tuple(map(decode_name, kind.members))
    return msgspec.structs.replace(column, type=Enumeration(kind.name, members))


def decode_name(name: str) -> str:
    """Decode the name of a member.

    Args:
        name: The name, in which `_xHHHH_` stands for a UTF-16 code unit. This is the encoding of
            .NET: https://learn.microsoft.com/dotnet/api/system.xml.xmlconvert.encodename

    Returns:
        The name with these characters. A half of a surrogate pair stays encoded.
    """
    return _UNITS.sub(_character, name)


def _character(unit: re.Match[str]) -> str:
    high, low, single = unit.groups()
    if single:
        return chr(int(single, 16))
    return bytes.fromhex(high + low).decode("utf-16-be")


def _decode_names(values: Sequence[Raw]) -> Sequence[Raw]:
    """Decode the names of members, given as JSON text."""
    if b"_x" not in b"".join(values):
        return values
    return [_decode_name(bytes(value)) or value for value in values]


@lru_cache(_NAMES)
def _decode_name(text: bytes) -> Raw | None:
    """Decode a name, given as JSON text; None if it stays."""
    # A column of type string may hold values of other types.
    if b"_x" not in text or not text.startswith(b'"'):
        return None
    return Raw(_encode(decode_name(_decode_text(text))))


def _remove_blanks(values: Sequence[Raw]) -> Sequence[Raw]:
    """Convert blank dates to null."""
    blanks = [Raw(text) for text in {*_BLANK.findall(b"".join(values))}]
    return [NULL if value in blanks else value for value in values] if blanks else values
