"""Values: converts values one by one where Arrow's JSON reader can't, without losing a digit.

Arrow reads what services write nearly always, many rows at once. It refuses `"NaN"`, more digits of
a second than six, trailing zeros of a decimal that exceed its places, a date without a time zone,
and a value of another type than the column's. Here, the first four are converted, and the last one
is an error.
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation, localcontext
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from tap_dynamics365.arrow.types import DAY, LOCAL_MOMENT, MOMENT, PRECISION, Form
from tap_dynamics365.odata.plain_json import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from msgspec import Raw

    from tap_dynamics365.arrow.types import ArrowColumn

_NOT_FINITE = {"NaN": float("nan"), "INF": float("inf"), "-INF": float("-inf")}
# A date with a time. Python reads at most six digits of a second; zeros after them may be left out.
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?)(?:(?<=:\d\d:\d\d)\.(\d{1,6})0*)?(Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ]00:00(?::00(?:\.0+)?)?Z?)?", re.ASCII)
_INTEGER = re.compile(r"-?\d+", re.ASCII)

_text = msgspec.json.Decoder(str).decode


class MisfitError(Exception):
    """A value does not fit into the type of its column.

    Args:
        value: The value in JSON.
    """

    def __init__(self, value: Raw) -> None:
        super().__init__(bytes(value).decode(errors="replace"))


def array(column: ArrowColumn, values: Sequence[Raw]) -> pa.Array:
    """Make an array of values.

    Args:
        column: The column that they belong to.
        values: The value of each row in JSON.

    Raises:
        MisfitError: A value does not fit into the type of the column.
    """
    convert = _converter(column)
    found: list[Any] = []
    for value in values:
        if bytes(value) == b"null":
            found.append(None)
            continue
        try:
            found.append(convert(value))
        except (ValueError, ArithmeticError, OverflowError, msgspec.DecodeError) as error:
            raise MisfitError(value) from error
    return pa.array(found, column.type)


def blob(text: str) -> bytes:
    """Decode base64 in either alphabet, with or without padding.

    Args:
        text: The text. OData declares the alphabet of URLs, and services write the other one.

    Raises:
        ValueError: It is not base64.
    """
    plain = text.translate(_ALPHABET).rstrip("=")
    return binascii.a2b_base64(plain + "=" * (-len(plain) % 4), strict_mode=True)


_ALPHABET = str.maketrans("-_", "+/")


def _converter(column: ArrowColumn) -> Callable[[Raw], Any]:
    kind = column.type
    if column.form is Form.BASE64:
        return lambda value: blob(_text(value))
    if pa.types.is_decimal(kind):
        return lambda value: _decimal(value, kind.scale)
    if pa.types.is_integer(kind):
        return lambda value: _integer(value, 2 ** (kind.bit_width - 1))
    return _CONVERTERS.get(kind, as_text)


def _day(value: Raw) -> date:
    found = _MIDNIGHT.fullmatch(_text(value))
    if found is None:
        raise ValueError
    return date.fromisoformat(found[1])


def _moment(value: Raw) -> datetime:
    found = _MOMENT.fullmatch(_text(value))
    if found is None:
        raise ValueError
    fraction = f".{found[2]:0<6}" if found[2] else ""
    moment = datetime.fromisoformat(f"{found[1]}{fraction}{found[3] or ''}")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _local(value: Raw) -> datetime:
    return _moment(value).replace(tzinfo=None)


def _decimal(value: Raw, scale: int) -> Decimal:
    """Read a decimal number that has to fit: at most 38 digits, and `scale` of them as a fraction.

    Raises:
        ValueError: It does not.
    """
    text = bytes(value).decode()
    with localcontext(prec=PRECISION) as context:
        context.traps[InvalidOperation] = True
        found = Decimal(_text(value) if text.startswith('"') else text)
        if not found.is_finite():
            raise ValueError
        fixed = found.quantize(Decimal(1).scaleb(-scale))
        if fixed != found:
            raise ValueError
    return fixed


def _double(value: Raw) -> float:
    text = bytes(value)
    if text.startswith(b'"'):
        found = _NOT_FINITE.get(_text(value))
        if found is None:
            raise ValueError
        return found
    return float(text)


def _integer(value: Raw, limit: int) -> int:
    text = bytes(value).decode()
    if not _INTEGER.fullmatch(text):
        raise ValueError
    found = int(text)
    if not -limit <= found < limit:
        raise ValueError
    return found


def _boolean(value: Raw) -> bool:
    if bytes(value) not in {b"true", b"false"}:
        raise ValueError
    return bytes(value) == b"true"


_CONVERTERS: dict[pa.DataType, Callable[[Raw], Any]] = {
    DAY: _day,
    MOMENT: _moment,
    LOCAL_MOMENT: _local,
    pa.float64(): _double,
    pa.bool_(): _boolean,
}
