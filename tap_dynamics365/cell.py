"""Cell: a value of a row as people read it, in a terminal or on the page."""

from __future__ import annotations

from typing import Any

import msgspec

_encode = msgspec.json.Encoder(decimal_format="number").encode


def cell(value: Any) -> str:  # noqa: ANN401 - any value of JSON
    """Write a value.

    Args:
        value: The value: `yes` or `no` for a boolean, a list of names with commas, and JSON for
            everything that is no text.
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return _encode(value).decode()
