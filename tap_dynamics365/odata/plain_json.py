"""Plain JSON: values without the annotations within them, with all digits of their numbers."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from msgspec import Raw
from typing_extensions import override

MOST_DIGITS = 1000


class Digits(Decimal):
    """A decimal number that keeps its digits.

    `Decimal` itself writes zero with many decimal places as `0E-10`.
    """

    @override
    def __str__(self) -> str:
        # A huge exponent would become a text of that many digits.
        return format(self, "f") if abs(self.adjusted()) < MOST_DIGITS else super().__str__()


def number(text: str) -> Digits | Raw:
    """Read a number with a fraction or an exponent; as raw text if `Decimal` can't hold it.

    Args:
        text: The number in JSON.
    """
    try:
        return Digits(text)
    except InvalidOperation:
        # The exponent has more digits than Decimal accepts.
        return Raw(text.encode())


def without_annotations(text: Raw) -> bytes:
    """Remove the annotations within a value.

    Args:
        text: The value in JSON.

    Returns:
        The value in JSON, without properties that have an `@` in their names.

    Raises:
        msgspec.DecodeError: The text is not JSON.
    """
    return _encode(_strip(_decode(text)))


def as_text(value: Raw) -> str:
    """Return a value of any type as text: text itself, or the JSON of anything else.

    Args:
        value: The value in JSON.

    Raises:
        msgspec.DecodeError: It is not JSON.
    """
    first = bytes(value)[:1]
    if first == b'"':
        return _text(value)
    return (without_annotations(value) if first in {b"{", b"["} else bytes(value)).decode()


def _strip(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    match value:
        case dict():
            return {name: _strip(part) for name, part in value.items() if "@" not in name}
        case list():
            return [_strip(part) for part in value]
        case _:
            return value


def _encode_digits(value: object) -> Raw:
    return Raw(str(value).encode())


_decode = msgspec.json.Decoder(Any, float_hook=number).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder(enc_hook=_encode_digits, decimal_format="number").encode
